"""Recorded costs, memory and trials are put to what is measured again; and what is published was verified before."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import needs
import pytest
import resealed
import site_config
import small_catalog
from conftest import CATALOG, ROOT

from surveykit.api import verifying
from surveykit.catalog.load import Catalog, load
from surveykit.catalog.load_once import load_once
from surveykit.catalog.measured import cell_of, cells
from surveykit.catalog.shelves import SHELVES, Shelf
from surveykit.cli import main
from surveykit.processes import Watch
from surveykit.recording import traces_and_trials, unmeasurable
from surveykit.site import build as site_build
from surveykit.site.inputs import Surroundings
from surveykit.site.pages.measured import COVERAGE
from surveykit.site.rendering import Page, render
from surveykit.verify import Checked, sample
from surveykit.verify.again import SAMPLE, commit_of, differences, digest_of, seed_of
from surveykit.verify.findings import Finding

MEASURED_AGAIN = [shelf for shelf in SHELVES if shelf.measure != "counts"]


@pytest.mark.parametrize("shelf", MEASURED_AGAIN, ids=lambda shelf: shelf.folder)
def test_any_recorded_figure_that_differs_is_found(catalog: Catalog, shelf: Shelf) -> None:
    rows = shelf.rows(catalog)
    found = next(row for row in rows if row.status in ("traced", "run", "counted"))
    for name in ("status", *shelf.record.figures()):
        old = getattr(found, name)
        new = 2 * old + 1 if isinstance(old, int) else "refused" if name == "status" else "other"
        altered = tuple(row.model_copy(update={name: new}) if row is found else row for row in rows)
        (finding,) = differences(dataclasses.replace(catalog, **{shelf.field: altered}), rows)
        assert (finding.check, finding.where) == ("drift", str(cell_of(found)))
        assert f"{name} is recorded as " in finding.message


def test_nothing_altered_is_nothing_found(catalog: Catalog) -> None:
    assert not list(differences(catalog, [row for shelf in MEASURED_AGAIN for row in shelf.rows(catalog)]))


def test_only_what_rounding_decides_may_differ_a_little(catalog: Catalog) -> None:
    """Trials on a processor without vector instructions change up to 256 entries more or fewer of 612,936."""
    trial = next(t for t in catalog.trials if t.configuration == "galore/all-linear-r128")
    for name in trial.figures():
        old = getattr(trial, name)
        if isinstance(old, int):
            altered = [trial.model_copy(update={name: old + 1})]
            assert bool(list(differences(catalog, altered))) == (name not in trial.rounded)
    assert list(differences(catalog, [trial.model_copy(update={"changed_trained": trial.changed_trained * 98 // 100})]))


def test_a_sample_is_the_same_by_its_seed_and_another_by_another(catalog: Catalog) -> None:
    everything = {cell for m in ("costs", "predictions", "files", "trials") for cell in cells(catalog, m)}
    first, again, other = (sample(catalog, SAMPLE, seed) for seed in ("commit 1", "commit 1", "commit 2"))
    assert first == again
    assert len(set(first.cells)) == SAMPLE
    assert first.among == len(everything)
    assert len({*first.cells} & {*other.cells}) < SAMPLE / 2
    assert set(sample(catalog, None, "x").cells) == everything
    assert sample(catalog, None, "x").sentence() == f"Costs, predictions, files and trials: {len(everything)} of {len(everything)} recorded were measured again."  # fmt: skip


def test_every_cell_is_drawn_as_often_as_is_said(catalog: Catalog) -> None:
    everything = [cell for m in ("costs", "predictions", "files", "trials") for cell in cells(catalog, m)]
    share = SAMPLE / len(everything)
    samples = round(30 / share)  # so many that by chance alone no cell is drawn far from its mean
    drawn = Counter(cell for number in range(samples) for cell in sample(catalog, SAMPLE, f"commit {number}").cells)
    assert f"with a chance of {100 * share:.0f} %" in sample(catalog, SAMPLE, "x").sentence()
    mean = samples * share
    assert all(mean / 3 < drawn[cell] < mean * 2.5 for cell in everything)


def test_measures_of_one_cell_are_drawn_apart(catalog: Catalog) -> None:
    (shared, _), *_ = Counter(map(str, sample(catalog, None, "").cells)).most_common(1)
    orders = {
        tuple(cell.measure for cell in sample(catalog, None, f"commit {number}").cells if str(cell) == shared)
        for number in range(12)
    }
    assert len(orders) > 1, "else one of them is never drawn without the other"


def test_without_peft_no_file_is_drawn_and_a_line_says_so(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = next(s for s in map(str, range(1000)) if "files" in {c.measure for c in sample(catalog, 3, s).cells})
    monkeypatch.setitem(sys.modules, "peft", None)
    words = ["--source", "lora-xs-readme", "--sample", "3", "--seed", seed, "--summary", "--quiet"]
    main(["--catalog", str(CATALOG), "verify", *words])
    shown = capsys.readouterr().err.splitlines()
    others = [cell for cell in sample(catalog, None, seed).cells if cell.measure != "files"]
    assert list(sample(catalog, None, seed, unmeasurable()).cells) == others
    line = sample(catalog, 3, seed, unmeasurable()).sentence()
    assert line.endswith(
        " Files were left out, since measuring them needs the package peft: in a clone of surveykit, pip install '.[peft]'."
    )
    assert shown[0] == line


def test_the_seed_is_the_commit_and_without_one_the_content(tmp_path: Path) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    assert commit_of(root) is None
    assert seed_of(root) == f"catalog {digest_of(root)}"
    before = digest_of(root)
    file = root / "measured" / "counts" / "lora.csv"
    file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert digest_of(root) != before
    if shutil.which("git") is None:
        pytest.skip(needs.GIT)
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    commit = commit_of(root)
    assert commit is not None
    assert len(commit) == 40
    assert seed_of(root) == f"commit {commit}"
    file.write_text("", encoding="utf-8")
    assert commit_of(root) == f"{commit} with changes"
    assert seed_of(root) == f"commit {commit}"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """The small catalog in the survey's settings, with all that is recorded of its methods on its backbones."""
    root = small_catalog.write(tmp_path / "catalog")
    table3 = Path("sources", "lialin2023scaling", "tables", "table3.csv")
    head, *lines = (CATALOG / table3).read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [head, *(line for line in lines if line.startswith(("T53B,", "T5Large,")))]
    (root / table3).write_text("".join(kept), encoding="utf-8")
    for shelf in SHELVES:
        (root / "measured" / shelf.folder).mkdir(exist_ok=True)
        for method in small_catalog.METHODS:
            path = Path("measured", shelf.folder, f"{method}.csv")
            backbones = (*small_catalog.BACKBONES, None)
            rows = [r for r in resealed.read(CATALOG / path) if r.get("backbone") in backbones]
            catalogued = [r for r in rows if " · " not in r["configuration"]]  # no settings of sources that it lacks
            resealed.write(root / path, catalogued)
    shutil.copy(CATALOG / "measured" / "runs.csv", root / "measured")
    load(root)
    return root


def drift(errors: str) -> list[str]:
    return [line for line in errors.splitlines() if line.startswith("drift: ") and "is recorded as" in line]


def test_a_forged_figure_in_the_sample_is_a_finding_and_one_beside_it_is_not(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = load(recorded)
    seed = next(
        s for s in map(str, range(1000)) if {bool(c.backbone) for c in sample(catalog, 2, s).cells} == {True, False}
    )
    met, beside = sample(catalog, 2, seed).cells, sample(catalog, 3, seed).cells[2]
    words = ["--catalog", str(recorded), "verify", "--sample", "2", "--seed", seed, "--summary", "--quiet"]
    folder = recorded / "measured"

    def forge(cell: Any) -> None:
        file, name = ("memory", "peak") if cell.backbone else ("trials", "changed")
        path = folder / file / f"{cell.method}.csv"
        assert resealed.change(
            path, lambda row: row.update({name: str(int(row[name]) * 5 // 4)}),
            where=lambda row: (row["configuration"], row.get("backbone", "")) == (cell.configuration, cell.backbone),
        )  # fmt: skip

    forge(beside)
    main(words)
    shown = capsys.readouterr().err
    assert not drift(shown)
    assert f"2 of {sample(catalog, 2, seed).among} recorded were measured again, drawn by {seed}" in shown
    for cell in met:
        forge(cell)
    assert main(words) == 1
    assert {line.split(": ")[1] for line in drift(capsys.readouterr().err)} == {str(cell) for cell in met}


def test_what_was_published_once_though_nobody_measured_it_is_found(tmp_path: Path) -> None:
    """KronA's memory a quarter higher, IA3's FLOPs twice as many, with digests that fit: in all that is measured again."""
    root = Path(shutil.copytree(CATALOG, tmp_path / "catalog"))
    folder = root / "measured"
    assert resealed.change(folder / "memory" / "krona.csv", lambda r: r.update(peak=str(int(r["peak"]) * 5 // 4)))
    assert resealed.change(
        folder / "costs" / "ia3.csv", lambda r: r.update(forward_flops=str(2 * int(r["forward_flops"])))
    )
    catalog = load(root)
    forged = [c for c in sample(catalog, None, "x").cells if c.method in ("krona", "ia3") and c.backbone == "t5-small"]
    again = [row for rows in traces_and_trials(catalog, forged) for row in rows]
    found = {
        (f.where.split("/")[0], f.message.split(" is recorded")[0].split()[-1]) for f in differences(catalog, again)
    }
    assert found == {("krona", "peak"), ("ia3", "forward_flops")}


CHECKED = Checked(
    date="2026-01-02", commit="1" * 40, counts=28, sampled=2, recorded=9, seed="commit 1", surveykit="0.1.0",
    python="3.11", torch="2.13.0", transformers="5.23.0",
)  # fmt: skip
FINDING = Finding("drift", "lora/qv-r8 on t5-3b", "peak is recorded as 2, but measures 1")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[object]:
    """What `reproduce` does, in order, without measuring for minutes; it finds what `findings` of the list says."""
    done: list[object] = []

    def verified(catalog: Catalog, size: int | None, seed: str | None, watch: Watch) -> verifying.Verification:
        done.append(("verified", str(catalog.root), size, seed))
        found = tuple(f for f in done if isinstance(f, Finding))
        return verifying.Verification((), found, (), (), sample(catalog, 2, "s"), CHECKED)

    def build(config: Path, *, catalog: Path, strict: bool, checked: Checked) -> Path:
        done.append(("site", str(config), str(catalog), strict, checked))
        return tmp_path / "site"

    monkeypatch.setattr(verifying, "verify_catalog", verified)
    monkeypatch.setattr(site_build, "build", build)
    monkeypatch.chdir(tmp_path)
    return done


def test_reproduce_verifies_then_writes_all_from_one_catalog(
    steps: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The catalog is that of another mkdocs.yml, and neither ./catalog nor the bundled one."""
    own = small_catalog.write(tmp_path / "other" / "catalog")
    small_catalog.write(tmp_path / "catalog")
    config = site_config.write(tmp_path / "other", own)
    assert main(["reproduce", "--config", str(config), "--sample", "all", "--seed", "s"]) == 0
    assert steps == [("verified", str(own), None, "s"), ("site", str(config), str(own), True, CHECKED)]
    assert (tmp_path / "build" / "surveykit.duckdb").is_file()
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"catalog: {own} ({config})"
    assert shown[-1] == f"wrote {tmp_path / 'site'} and build/surveykit.duckdb"
    given = small_catalog.write(tmp_path / "given" / "catalog")
    assert main(["--catalog", str(given), "reproduce", "--config", str(config)]) == 0
    assert steps[2:] == [("verified", str(given), SAMPLE, None), ("site", str(config), str(given), True, CHECKED)]


def test_reproduce_writes_nothing_where_something_is_found(
    steps: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    config = site_config.write(tmp_path, root)
    steps.append(FINDING)
    assert main(["reproduce", "--config", str(config)]) == 1
    assert [step for step in steps if step is not FINDING] == [("verified", str(root), SAMPLE, None)]
    assert not (tmp_path / "build").exists()
    errors = capsys.readouterr().err.splitlines()
    assert errors[0].startswith("Costs, predictions, files and trials: 2 of ")
    assert errors[1:] == [str(FINDING), "1 findings", "nothing was written: no site and no build/surveykit.duckdb"]


def test_reproduce_writes_nothing_of_a_catalog_that_changed_meanwhile(
    steps: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    config = site_config.write(tmp_path, root)
    verify_catalog = verifying.verify_catalog

    def slow(catalog: Catalog, *arguments: Any) -> verifying.Verification:
        with (root / "methods" / "lora.yaml").open("a", encoding="utf-8") as file:
            file.write("# edited\n")
        return verify_catalog(catalog, *arguments)

    monkeypatch.setattr(verifying, "verify_catalog", slow)
    assert main(["reproduce", "--config", str(config)]) == 2
    assert "changed while it was being verified, so nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "build").exists()


def test_reproduce_without_its_configuration_measures_nothing(
    steps: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce"]) == 2
    assert steps == []
    assert "there is no mkdocs.yml" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["-1", "some", "1.5", "٣", "", "9" * 12])
def test_a_sample_is_a_number_or_all(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--sample", text]) == 2
    assert "a whole number or all" in capsys.readouterr().err


def test_a_page_says_what_was_measured_again_for_its_build(database: Path, pages: dict[str, Page]) -> None:
    plain = str(pages[COVERAGE].content)
    assert "Nothing was measured again for this build" in plain
    run = next(iter(load_once(CATALOG).runs.values()))
    assert f"| {run.date} | " in plain
    told = next(str(p.content) for p in render(database, (), Surroundings(checked=CHECKED)) if p.path == COVERAGE)
    assert "Nothing was measured again" not in told
    words = " ".join(told.split())
    assert (
        "For this build, on 2026-01-02, all 28 counts were measured again, and so were 2 of the 9 recorded costs"
        in words
    )
    assert (
        f"at commit <code>{'1' * 40}</code> with surveykit 0.1.0, Python 3.11, PyTorch 2.13.0 and transformers 5.23.0."
        in words
    )


def test_the_readme_says_how_large_the_sample_is_and_what_it_meets(catalog: Catalog) -> None:
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    chance = 100 * SAMPLE / sample(catalog, SAMPLE, "x").among
    assert f"a sample of {SAMPLE} of them, a different one for each commit, is measured again" in text
    assert f"One wrong record has about a {chance:.0f} % chance of being checked in a run" in text


def test_a_workflow_measures_everything_each_week() -> None:
    workflow = (ROOT / ".github" / "workflows" / "measured.yml").read_text(encoding="utf-8")
    assert "schedule:" in workflow
    assert "surveykit verify --sample all" in workflow
    assert "surveykit verify --summary --seed" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
