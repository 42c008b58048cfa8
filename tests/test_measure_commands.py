"""`measure` and `verify-params` as a user meets them."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import resealed
import small_catalog
from conftest import CATALOG, ROOT

from surveykit.catalog.load import Catalog, load
from surveykit.catalog.measured import stale
from surveykit.cli import main
from surveykit.engine import measure_counts


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CATALOG, tmp_path / "catalog"))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A catalog of three methods on two backbones and those of their papers, whose counts were measured here."""
    root = small_catalog.write(tmp_path / "small" / "catalog")
    shutil.rmtree(root / "measured")
    assert main(["--catalog", str(root), "measure", "--quiet", "--only", "counts"]) == 0
    return root


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def files(folder: Path) -> dict[str, bytes]:
    counts = {path.name: path.read_bytes() for path in sorted((folder / "counts").glob("*.csv"))}
    return {**counts, "runs.csv": (folder / "runs.csv").read_bytes()}


def figures(folder: Path) -> dict[str, list[dict[str, str]]]:
    """The recorded counts whoever measured them: the run has the names of versions in it, which may be others here."""
    found = {}
    for path in sorted((folder / "counts").glob("*.csv")):
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        found[path.name] = [{name: value for name, value in row.items() if name != "run"} for row in rows]
    return found


def test_measuring_what_is_current_changes_nothing(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(copy / "measured")
    assert main(["--catalog", str(copy), "measure", "--only", "counts"]) == 0
    assert "nothing to measure" in capsys.readouterr().out
    assert files(copy / "measured") == before


def test_measuring_all_again_changes_nothing(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(small / "measured")
    assert main(["--catalog", str(small), "measure", "--all", "--quiet", "--only", "counts"]) == 0
    assert "0 files changed" in capsys.readouterr().out
    assert files(small / "measured") == before


def test_an_edited_recipe_is_measured_again_and_nothing_else(
    copy: Path, catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own counts, and those of sources that speak of it with other hyper-parameters than the edited one."""
    before = files(copy / "measured")
    edit(copy / "methods" / "lora.yaml", "rank: 8", "rank: 16")
    outdated = stale(load(copy))
    own = {
        "lora/qv-r8",
        *(name for name in catalog.variations if name.startswith("lora/qv-r8 · ") and "· rank=" not in name),
    }
    assert {cell.configuration for cell in outdated} == own
    assert main(["--catalog", str(copy), "measure", "--only", "counts"]) == 0
    assert f"measured {len(outdated)} counts" in capsys.readouterr().out
    after = files(copy / "measured")
    changed = {name for name in after if after[name] != before[name]}
    assert changed - {"runs.csv"} == {"lora.csv"}  # where this environment recorded before, its day is another one now
    assert "lora/qv-r8,t5-large,counted,,4718592," in after["lora.csv"].decode()
    assert not list((copy / "measured").rglob("*.partial"))


def test_a_removed_configuration_leaves_the_records(small: Path) -> None:
    before = figures(small / "measured")
    (small / "measured" / "counts" / "prefix-tuning.csv").unlink()
    resealed.change(
        small / "measured" / "counts" / "lora.csv", lambda row: row.update(configuration="lora/gone"),
        where=lambda row: (row["configuration"], row["backbone"]) == ("lora/qv-r8", "t5-large"),
    )  # fmt: skip
    assert main(["--catalog", str(small), "measure", "--quiet", "--only", "counts"]) == 0
    assert figures(small / "measured") == before


def test_an_interrupted_run_keeps_what_it_found(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Path(shutil.copytree(small, tmp_path / "copy" / "catalog"))
    shutil.rmtree(copy / "measured")
    count, calls = measure_counts.count, []

    def interrupted(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return count(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(measure_counts, "count", interrupted)
    assert main(["--catalog", str(copy), "measure", "--quiet", "--only", "counts"]) == 130
    monkeypatch.undo()
    assert len(load(copy).measurements) == 7
    assert main(["--catalog", str(copy), "measure", "--quiet", "--only", "counts"]) == 0
    assert figures(copy / "measured") == figures(small / "measured")
    assert len(load(copy).measurements) > 7


def test_a_recipe_that_does_not_fit_is_recorded_with_its_reason(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(copy / "methods" / "lora.yaml", "roles: [query, value]", "roles: [feed_forward_gate]")
    assert main(["--catalog", str(copy), "measure", "lora/qv-r8", "--backbone", "t5-small", "--only", "counts"]) == 1
    assert "failed: lora/qv-r8 on t5-small: t5-small has no place for low_rank" in capsys.readouterr().err
    recorded = [m for m in load(copy).measurements if m.configuration == "lora/qv-r8" and m.backbone == "t5-small"]
    assert recorded[0].status == "failed"
    assert recorded[0].trainable is None
    assert main(["--catalog", str(copy), "verify-params", "--method", "lora", "--backbone", "t5-small"]) == 1
    assert "not_measured: lora/qv-r8 on t5-small: t5-small has no place" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "old", "new", "backbone", "finding"),
    [
        ("sources/lialin2023scaling/tables/table5.csv", "T5Large,LoRa (q and v),,2.36", "T5Large,LoRa (q and v),,2.35", "t5-large",
         "unexplained: lialin2023scaling: Table 5, T5Large, LoRa (q and v), params_millions: printed 2.35, measured 2.3593"),
        ("methods/lora.yaml", "trainable: A*r*(2*d + I + Kv)", "trainable: A*r*(2*d + d + d)", "t5-11b",
         "formula: lora/qv-r8 on t5-11b: the formula of trainable gives 2,359,296, the model has 20,054,016"),
        ("methods/lora.yaml", "rank: 8", "rank: 9", "t5-large", "drift: lora/qv-r8 on t5-large: trainable is recorded as 2,359,296"),
        ("sources/lialin2023scaling/explanations.yaml", "{configuration: lora/self-attention-qv-r8}", "{configuration: lora/qv-r8}", "t5-3b",
         "explanation: lialin2023scaling: Table 5, T53B, LoRa (q and v), params_millions: printed 3.93: lora/qv-r8 on t5-3b does not give it"),
    ],
)  # fmt: skip
def test_verify_fails_with_the_place_and_what_was_found(
    copy: Path, capsys: pytest.CaptureFixture[str], file: str, old: str, new: str, backbone: str, finding: str
) -> None:
    edit(copy / file, old, new)
    assert main(["--catalog", str(copy), "verify-params", "--method", "lora", "--backbone", backbone]) == 1
    assert finding in capsys.readouterr().err


def test_verify_fails_where_a_record_was_forged(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resealed.change(
        copy / "measured" / "counts" / "lora.csv", lambda row: row.update(trainable="2359297"),
        where=lambda row: (row["configuration"], row["backbone"]) == ("lora/qv-r8", "t5-large"),
    )  # fmt: skip
    assert main(["--catalog", str(copy), "verify-params", "--method", "lora"]) == 1
    finding = "drift: lora/qv-r8 on t5-large: trainable is recorded as 2,359,297, but measures 2,359,296"
    assert finding in capsys.readouterr().err


def test_verify_prints_data_on_stdout_and_the_rest_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--catalog", str(CATALOG), "verify-params", "--method", "krona", "--backbone", "t5-3b"]
    assert main([*arguments, "--format", "json"]) == 0
    shown = capsys.readouterr()
    rows = json.loads(shown.out)
    assert [row["printed"] for row in rows] == ["0.41", "0.014"]
    assert rows[0] == {
        "row": "KronA", "backbone": "t5-3b", "column": "params_millions", "printed": "0.41", "measured": 0.589824,
        "verdict": "differs", "outcome": "fits_another_setup", "cause": "library_default", "fits_setup": "krona/lokr-qv-r8",
    }  # fmt: skip
    assert "2 differ and fit another setup" in shown.err
    assert main([*arguments, "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("KronA,t5-3b,params_millions,0.41,0.589824,differs,")
    assert main([*arguments, "--summary"]) == 0
    assert capsys.readouterr().out == (
        "Scaling Down to Scale Up, Table 5: 0 of 1 rows match in every count; of 2 cells 2 differ and fit another setup.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify-params", "--method", "lorra"], "there is no method 'lorra'; did you mean 'lora'?"),
        (["verify-params", "--backbone", "t5"], "there is no backbone 't5'"),
        (["measure", "lora/qv-r9"], "there is no method 'lora/qv-r9'; did you mean 'lora/qv-r8'?"),
        (["--catalog", "nowhere", "measure"], "'nowhere' is not a catalog"),
    ],
)
def test_a_wrong_name_is_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = arguments if "--catalog" in arguments else ["--catalog", str(CATALOG), *arguments]
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert not shown.out


def test_without_peft_all_but_files_is_measured_and_the_message_names_the_extra(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counts, sizes = (copy / "measured" / folder / "mica.csv" for folder in ("counts", "files"))
    before = counts.read_bytes(), sizes.read_bytes()
    counts.unlink()
    sizes.unlink()
    words = ["--catalog", str(copy), "measure", "mica", "--quiet", "--only", "counts", "--only", "files"]
    needed = "measuring them needs the package peft: in a clone of surveykit, pip install '.[peft]'."
    with monkeypatch.context() as hidden:
        hidden.setitem(sys.modules, "peft", None)
        assert main(words) == 1
        shown = capsys.readouterr()
        assert shown.err == f"surveykit: Files were left out, since {needed}\n"
        assert "0 failed" in shown.out
        assert (counts.read_bytes(), sizes.exists()) == (before[0], False)
        assert main(words) == 1
        shown = capsys.readouterr()
        assert needed in shown.err
        assert not shown.out
    assert main(words) == 0
    assert sizes.read_bytes() == before[1]


def test_without_torch_the_message_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from surveykit.cli import main; sys.exit(main(['verify-params', '--method', 'lora']))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.returncode == 2
    assert run.stderr == "surveykit: this needs the package torch: in a clone of surveykit, pip install '.[measure]'\n"
