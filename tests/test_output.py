"""One writer for every command's rows: what is escaped in LaTeX and Markdown, and what a pasted table says of itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import small_catalog

from surveykit import output
from surveykit.cli import main

SPECIAL = "&%$#_{}~^\\<>|"
"""What LaTeX reads as a command, or shows as another sign."""


def latex(*rows: list[object], caption: str = "") -> list[str]:
    return output.render(["a_b", "n"], rows, "latex", caption=caption).splitlines()


@pytest.mark.parametrize("sign", SPECIAL)
def test_a_special_sign_never_reaches_latex_bare(sign: str) -> None:
    (line,) = (line for line in latex([f"x{sign}y", 1]) if line.startswith("x"))
    written = line.removesuffix(r" & 1 \\").removeprefix("x").removesuffix("y")
    assert re.fullmatch(r"\\[&%$#_{}]|\\text[a-z]+\{\}", written), written


def test_every_escape_of_latex_is_another() -> None:
    lines = {line for sign in SPECIAL for line in latex([sign, 1])[5:6]}
    assert len(lines) == len(SPECIAL)


def test_signs_of_mathematics_stand_in_its_mode() -> None:
    (line,) = (line for line in latex(["2 × 3 ≤ 6 − 0 ± 1²", 1]) if line.startswith("2"))
    assert line == r"2 $\times$ 3 $\leq$ 6 $-$ 0 $\pm$ 1$^2$ & 1 \\"


def test_a_row_cannot_end_or_begin_like_a_command() -> None:
    lines = latex(["[2em] one\ntwo", 1], ["b", None])
    assert lines[5:7] == [r"{[}2em] one two & 1 \\", r"b & -- \\"]


def test_a_tabular_has_the_rules_of_booktabs_and_figures_on_the_right() -> None:
    assert latex(["x", 1234567]) == [
        r"% needs \usepackage{booktabs}", r"\begin{tabular}{lr}", r"\toprule", r"a\_b & n \\", r"\midrule",
        r"x & 1,234,567 \\", r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip


def test_a_caption_is_escaped_too() -> None:
    lines = latex(["x", 1], caption="50 % of t5_large")
    assert lines[1:4] == [r"\begin{table}", r"\centering", r"\caption{50 \% of t5\_large}"]
    assert lines[-1] == r"\end{table}"


@pytest.mark.parametrize("format", ["latex", "markdown"])
@pytest.mark.parametrize(
    ("words", "model"),
    [(["query", "--backbone", "t5-large"], "t5-large"), (["compare", "lora", "full-tuning"], "t5-large")],
)
def test_a_pasted_table_names_the_model_of_its_figures(
    words: list[str], model: str, format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    assert main(["--catalog", str(root), *words, "--format", format]) == 0
    printed = capsys.readouterr().out
    assert model in printed.replace(r"\_", "_")
    assert "survey's setting" in printed


def test_a_select_of_the_users_has_no_caption(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    assert main(["--catalog", str(root), "query", "--sql", "SELECT 1 AS one", "--format", "latex"]) == 0
    assert "caption" not in capsys.readouterr().out
