"""Every command as a function of `surveykit`: what it takes and returns, on a small catalog; and the README's example."""

from __future__ import annotations

import argparse
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_plans
import needs
import pytest
import site_config
import small_catalog
import small_models
from conftest import CATALOG, ROOT
from small_text_model import save_bert

import surveykit
from surveykit.catalog.training import Training
from surveykit.cli import COMMANDS
from surveykit.commands.arguments import module
from surveykit.errors import CatalogError, QueryError, SurveyError

FUNCTIONS = sorted(name.replace("-", "_") for name in COMMANDS)
PRINTED = {"format", "summary", "quiet", "table", "verdict"}
"""Options that only choose what is printed."""
CHOSEN_FROM = {"audit": {"status", "data", "id"}, "fields": set(), "verify": {"table"}}
"""Options that choose from what the function returns."""
CALLED_BACK = {"watch", "verified", "found"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small catalog, a mkdocs.yml for it, and a small model with weights."""
    folder = tmp_path_factory.mktemp("functions")
    small_catalog.write(folder / "catalog")
    site_config.write(folder, folder / "catalog")
    save_bert(folder / "model")
    small_models.CONFIGS["t5"]().save_pretrained(folder / "t5")
    return folder


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_takes_the_options_of_its_command(name: str) -> None:
    function = getattr(surveykit, name)
    assert inspect.isfunction(function)
    assert function.__name__ == name
    signature = inspect.signature(function).parameters.items()
    taken = {
        name for name, one in signature if one.kind is not one.VAR_KEYWORD
    }  # what --set takes, and fields of settings
    parser = argparse.ArgumentParser()
    module(name).add_arguments(parser)
    options = {action.dest for action in parser._actions} - {"help"}
    if "setting" in options:
        assert options >= set(Training.model_fields)
        options -= set(Training.model_fields)
    if name == "fields":
        options.discard("format")
    chosen = CHOSEN_FROM.get(name, set())
    assert options - taken == (options & (PRINTED - taken)) | chosen
    assert taken - options - CALLED_BACK == {"catalog"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_docstring_says_what_comes_back_and_what_may_go_wrong(name: str) -> None:
    text = inspect.getdoc(getattr(surveykit, name)) or ""
    assert re.search(r"^Returns:\n    \w", text, re.MULTILINE)
    assert re.search(r"^Raises:\n    \w+(Error|Extra): ", text, re.MULTILINE)
    taken = set(inspect.signature(getattr(surveykit, name)).parameters) - {"catalog", "watch"}
    described = re.findall(r"^    ([a-z_, ]+): ", text.partition("Returns:")[0], re.MULTILINE)
    assert taken - {"catalog", "watch"} == {word for words in described for word in words.split(", ")} - {"catalog"}


def test_functions_stay_where_packages_have_their_names() -> None:
    """`import surveykit.fit.words` puts the package into `surveykit`, in other packages."""
    code = (
        "import surveykit, surveykit.fit.words, surveykit.site.inputs, surveykit.verify.again\n"
        "from surveykit import fit, site, verify\n"
        "from surveykit.fit import words\n"
        "print(callable(fit), callable(site), callable(verify), callable(surveykit.fit), words.__name__)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.split() == ["True", "True", "True", "True", "surveykit.fit.words"]
    assert not run.stderr


def counts_on_a_model(folder: Path) -> None:
    count = surveykit.count("lora", model=folder / "model", catalog=folder / "catalog")
    assert (count.configuration, count.model.architecture) == ("lora/qv-r8", "BertModel")
    assert count.trainable == count.added == count.stored
    assert count.percent == 100 * (count.trainable or 0) / count.model.parameters
    (same, other) = surveykit.count(["lora", "full-tuning"], model=folder / "model", catalog=folder / "catalog")
    assert same == count
    assert other.changed == count.model.parameters
    (sized,) = surveykit.count(["lora"], model=folder / "model", trainable_budget="5%", catalog=folder / "catalog")
    assert sized.size is not None
    assert (sized.trainable or 0) > (count.trainable or 0)


def fits(folder: Path) -> None:
    done: list[tuple[int, int]] = []
    answer = surveykit.fit(
        folder / "t5", gpu_memory="1GB", batch=2, length=8, methods="lora", all=True,
        catalog=folder / "catalog", watch=lambda *of: done.append(of),
    )  # fmt: skip
    assert answer.fits
    assert answer.choices[0].candidate.parts.peak < 10**9
    assert done == [(n, answer.asked) for n in range(answer.asked + 1)]


def measures(folder: Path) -> None:
    root, done = folder / "catalog", []
    recording = surveykit.measure(
        "lora", backbone="t5-large", only="counts", all=True, catalog=root, watch=lambda *of: done.append(of)
    )
    assert recording.cells == {"counts": done[-1][1]}
    assert done == [(n, done[-1][1]) for n in range(done[-1][1] + 1)]
    assert not recording.failed
    (cost,) = surveykit.measure("lora", model=folder / "t5", batch=2, length=8, catalog=root)
    assert (cost.configuration, cost.overhead_merged) == ("lora/qv-r8", "none")
    assert 0 < (cost.weights_bytes or 0) < (cost.peak_bytes or 0)


def tries(folder: Path) -> None:
    trials = surveykit.trial("lora", model=folder / "model", steps=1, batch=2, length=8, catalog=folder / "catalog")
    assert trials.passed
    assert [row.configuration for row in trials.rows] == ["(head alone)", "lora/qv-r8"]
    assert trials.head > 0


def verifies(folder: Path) -> None:
    report = surveykit.verify(sample=0, catalog=folder / "catalog")
    assert report.checked.counts > 0
    assert {verdict.word for verdict in report.verdicts} >= {"match", "differs"}
    assert {finding.check for finding in report.findings} >= {"stale"}  # costs of this catalog are not recorded
    assert not report.passed


def verifies_parameters(folder: Path) -> None:
    report = surveykit.verify_params(method="lora", backbone="t5-large", catalog=folder / "catalog")
    assert report.passed
    assert {v.claim.model for v in report.verdicts} == {m.backbone for m in report.counts} == {"t5-large"}
    report = surveykit.verify_params(checkpoint=folder / "model", backbone="t5-large", catalog=folder / "catalog")
    assert report.checkpoint is not None
    assert (report.checkpoint.verdict, report.counts) == ("differs", ())
    assert not report.passed


def verifies_backbones(folder: Path) -> None:
    found: list[Any] = []
    results = surveykit.verify_backbones(
        "t5-large", checkpoint=folder / "model", catalog=folder / "catalog", found=found.append
    )
    assert results == found
    assert [result.verdict for result in results] == ["differs"]


def queries(folder: Path) -> None:
    result = surveykit.query("id = 'lora'", select="id, name", catalog=folder / "catalog")
    assert list(result.records()) == [{"id": "lora", "name": "LoRA"}]
    assert surveykit.query(sql="SELECT 1 AS one", catalog=folder / "catalog").rows == [[1]]


def names_fields(folder: Path) -> None:
    assert ("methods", "view") in [(f.name, f.kind) for f in surveykit.fields(catalog=folder / "catalog")]
    assert ("id", "VARCHAR") in [(f.name, f.kind) for f in surveykit.fields("methods", catalog=folder / "catalog")]


def shows(folder: Path) -> None:
    portrait = surveykit.show("LoRA", catalog=folder / "catalog")
    assert portrait.method == "lora"
    assert "Table 5, T5Large, LoRa (q and v), params_millions" in [fact.what for fact in portrait.facts]


def compares(folder: Path) -> None:
    comparison = surveykit.compare(["lora", "full-tuning"], backbone="t5-3b", catalog=folder / "catalog")
    assert comparison.methods == ("lora", "full-tuning")
    assert comparison.properties["configuration"] == ("lora/qv-r8", "full-tuning/all")


def cites(folder: Path) -> None:
    (entry,) = surveykit.cite("lora", catalog=folder / "catalog")
    assert entry.startswith("@")


def audits(folder: Path) -> None:
    assert surveykit.audit(catalog=folder / "catalog").statements == ()  # this catalog has none
    audit = surveykit.audit(catalog=CATALOG)
    assert audit.passed
    assert f" of {len(audit.statements)} statements hold" in audit.summary
    statement = next(s for s in audit.statements if s.status == "contradicted")
    assert audit.named(statement.id) is statement
    assert not any(reading.holds for reading in statement.readings)
    data = next(check for check in audit.data if check.found)
    assert len(data.rows) == min(data.found or 0, 200)
    with pytest.raises(SurveyError, match="no statement or data check 'nothing'"):
        audit.named("nothing")


def validates(folder: Path) -> None:
    assert sorted(surveykit.validate(catalog=folder / "catalog").methods) == sorted(small_catalog.METHODS)


def says_where(folder: Path) -> None:
    place = surveykit.where(catalog=folder / "catalog")
    assert place.catalog == (folder / "catalog").resolve()
    assert place.database.is_file()


def writes_schemas(folder: Path) -> None:
    due = surveykit.schema(output=folder / "schema", check=True, catalog=folder / "catalog")
    assert not (folder / "schema").exists()
    assert surveykit.schema(output=folder / "schema", catalog=folder / "catalog") == due
    assert all(path.is_file() for path in due)
    assert surveykit.schema(output=folder / "schema", catalog=folder / "catalog") == []


def exports(folder: Path) -> None:
    files = surveykit.export(folder / "csv", format="csv", catalog=folder / "catalog")
    assert folder / "csv" / "methods.csv" in files


def builds(folder: Path) -> None:
    assert surveykit.build(folder / "own.duckdb", catalog=folder / "catalog").is_file()


def writes_a_site(folder: Path) -> None:
    site = surveykit.site(config=folder / "mkdocs.yml")
    assert (site.folder / "index.html").is_file()
    assert site.catalog == (folder / "catalog").resolve()


def reproduces(folder: Path) -> None:
    """Nothing is written, since costs of this catalog are not recorded."""
    seen: list[Any] = []
    found = surveykit.reproduce(config=folder / "mkdocs.yml", sample=0, verified=seen.append)
    assert seen == [found.verification]
    assert (found.passed, found.site, found.database) == (False, None, None)


def checks_a_table(folder: Path) -> None:
    table = folder / "claims.csv"
    table.write_text(
        "method,rank,column,printed,unit\nlora,8,trainable,2.36,million\nlora,8,trainable,4.72,million\n",
        encoding="utf-8",
    )
    right, wrong = surveykit.check(table, model="t5-large", catalog=folder / "catalog")
    assert (right.verdict.word, right.would_give) == ("match", ())
    assert (wrong.verdict.word, round(wrong.difference_percent or 0)) == ("differs", 100)
    assert all(setup.configuration for setup in wrong.would_give)


def writes_a_model(folder: Path) -> None:
    files = surveykit.new("model", "my-model", config=folder / "t5" / "config.json", catalog=folder / "own")
    assert {path.name for path in files} >= {"config.json"}
    assert all(path.is_file() for path in files)


def lists_sources(folder: Path) -> None:
    (survey,) = surveykit.sources(catalog=folder / "catalog")
    assert survey.claims >= survey.match > 0


def runs_a_plan(folder: Path) -> None:
    found = surveykit.bench(
        str(bench_plans.plan(folder, configurations=["lora", "full-tuning"])),
        results=folder / "results",
        device="cpu",
        executor="here",
        catalog=folder / "catalog",
    )
    assert (found.plan, found.done, found.passed) == ("tiny", 2, True)


def serves(folder: Path) -> None:
    """A client that has nothing to ask."""
    pytest.importorskip("mcp", reason=needs.MCP)
    code = "import sys, surveykit; surveykit.mcp(catalog=sys.argv[1])"
    words = [sys.executable, "-c", code, str(folder / "catalog")]
    done = subprocess.run(words, input="", capture_output=True, text=True, check=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("", "")


CALLS: dict[str, Callable[[Path], None]] = {
    "audit": audits, "bench": runs_a_plan, "build": builds, "check": checks_a_table, "cite": cites, "compare": compares, "count": counts_on_a_model, "export": exports,
    "fields": names_fields, "fit": fits, "mcp": serves, "measure": measures, "new": writes_a_model, "query": queries, "reproduce": reproduces,
    "schema": writes_schemas, "show": shows, "site": writes_a_site, "sources": lists_sources, "trial": tries, "validate": validates,
    "verify": verifies, "verify_backbones": verifies_backbones, "verify_params": verifies_parameters,
    "where": says_where,
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_returns_what_it_found_and_prints_nothing(
    name: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    CALLS[name](folder)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err == ""


WRONG: dict[str, tuple[Callable[[Path], object], type[SurveyError], str]] = {
    "method": (lambda f: surveykit.count("lorra", model=f / "model", catalog=f / "catalog"), SurveyError, "did you mean 'lora'"),
    "all": (lambda f: surveykit.count("all", model=f / "model"), SurveyError, r"write \['all'\]"),
    "model": (lambda f: surveykit.count("lora", model=f / "nothing"), SurveyError, "nothing"),
    "budget": (lambda f: surveykit.count("lora", model="t5-large", trainable_budget="much"), SurveyError, "is not a budget"),
    "memory": (lambda f: surveykit.fit("t5-large", gpu_memory="24", batch=1, length=8), SurveyError, "has no unit"),
    "batch": (lambda f: surveykit.fit("t5-large", gpu_memory="24GB", batch=0, length=8), SurveyError, "batch is 0"),
    "steps": (lambda f: surveykit.trial("lora", model=f / "model", steps=0), SurveyError, "steps is 0"),
    "rate": (lambda f: surveykit.trial("lora", model=f / "model", rate=-1.0), SurveyError, "rate is -1.0"),
    "dtype": (lambda f: surveykit.fit("t5-large", gpu_memory="24GB", batch=1, length=8, dtype="float23"), SurveyError, "did you mean 'float32'"),  # type: ignore[arg-type]
    "only": (lambda f: surveykit.measure(only="count", catalog=f / "catalog"), SurveyError, "did you mean 'counts'"),  # type: ignore[arg-type]
    "format": (lambda f: surveykit.export(f / "no", format="cvs", catalog=f / "catalog"), SurveyError, "did you mean 'csv'"),  # type: ignore[arg-type]
    "sample": (lambda f: surveykit.verify(sample=-1, catalog=f / "catalog"), SurveyError, "sample is -1"),
    "unnamed": (lambda f: surveykit.measure(model=f / "model"), SurveyError, "name the methods"),  # type: ignore[call-overload]
    "together": (lambda f: surveykit.query(sql="SELECT 1", limit=1), QueryError, "cannot be combined with --limit"),
    "column": (lambda f: surveykit.query("nothing = 1", catalog=f / "catalog"), QueryError, "nothing"),
    "catalog": (lambda f: surveykit.show("lora", catalog=f / "nothing"), SurveyError, "is not a catalog"),
    "config": (lambda f: surveykit.site(config=f / "nothing.yml"), SurveyError, "there is no .*nothing.yml"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_one_of_our_errors(name: str, folder: Path) -> None:
    call, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        call(folder)


def test_an_invalid_catalog_is_told_with_its_problems(tmp_path: Path) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    (root / "methods" / "lora.yaml").write_text("id: lora\n", encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        surveykit.validate(catalog=root)
    assert caught.value.problems[0].file.endswith("lora.yaml")


def test_the_readme_s_example_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SURVEYKIT_CATALOG", str(CATALOG))
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"<!-- python: .*?-->\n```python\n(.*?)```", text, flags=re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    said = re.findall(r"^ *print\(.*\)  # (.*)$", code, flags=re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == said
