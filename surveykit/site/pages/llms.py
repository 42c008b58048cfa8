"""llms.txt: a short map of the site for language models, in the form that llmstxt.org describes."""

from __future__ import annotations

from surveykit.database.reading import Reader
from surveykit.site.data.api import RESOURCES, ROOT
from surveykit.site.inputs import Surroundings
from surveykit.site.pages.fragments import finding

LLMS = "llms.txt"
_PAGES = (
    ("All methods", "methods/", "the table of methods: type, disk, memory, backpropagation, overhead, claimed and measured"),
    ("Table 5, checked", "table5/", "every printed parameter figure of the survey's experiment beside our count"),
    ("Findings", "findings/", "what does not fit in the sources, ranked, each with its numbers, evidence and innocent explanation"),
    ("Sources", "sources/", "what each source claims, cell by cell, beside our count"),
    ("Statements, checked", "survey/statements/", "the survey's sentences, checked against its own tables"),
    ("How we measure", "how-we-measure/", "what trainable, changed, stored, memory and overhead mean here"),
)  # fmt: skip
_DATA = (
    ("index.json", f"{ROOT}/index.json", "start here: every file of the JSON API with its schema"),
    ("methods.json", f"{ROOT}/methods.json", "one row per method, measured on T5-Large"),
    ("Data", "data/", "all tables and views as CSV and Parquet, and the DuckDB database"),
)


def llms(reader: Reader, around: Surroundings) -> str:
    """The text; addresses are absolute where the site's is known, else relative to this file."""
    base = around.address or ""

    def line(title: str, path: str, about: str) -> str:
        return f"- [{_plain(title)}]({base}{path}): {_plain(about)}"

    methods = [
        line(m.name, f"{ROOT}/methods/{m.id}.json", f"{m.family.replace('_', ' ')}; page {base}methods/{m.id}/")
        for m in reader.all("SELECT id, name, family FROM method ORDER BY lower(name), id")
    ]
    parts = [
        "# surveykit",
        "> A catalog of parameter-efficient fine-tuning (PEFT) methods that checks what sources claim of them (a survey, "
        "papers, benchmarks): each figure beside what is counted on the real architectures, with a verdict.",
        f"Table 5 of the survey: {finding(reader).unescape()} Null means unknown or not applicable, never zero; a status "
        "or reason beside it says which. Percentages are of the bare backbone's parameters.",
        "## Pages",
        "\n".join(line(*page) for page in _PAGES),
        "## Data",
        "\n".join(line(*page) for page in _DATA),
        "## Methods",
        "\n".join(methods),
        "## Optional",
        "\n".join(
            line(f"{r.name}.json", f"{ROOT}/{r.name}.json", f"rows of the table {r.table}") for r in RESOURCES[1:]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Text that ends neither the line nor the name of a link."""
    return " ".join(text.split()).translate(str.maketrans("[]<>", "()‹›"))
