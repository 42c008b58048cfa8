"""llms.txt: a short map of the site for language models, in the form that llmstxt.org describes."""

from __future__ import annotations

from surveykit.database.reading import Reader
from surveykit.site.data.api import RESOURCES, ROOT
from surveykit.site.inputs import Surroundings
from surveykit.site.pages.fragments import finding
from surveykit.site.pages.moved import address_of
from surveykit.site.text.twins import twin_of

LLMS = "llms.txt"
_PAGES = (
    ("All methods", "methods/index.md", "the table of methods: type, disk, memory, backpropagation, overhead, claimed and measured"),
    ("Table 5, checked", "table5.md", "every printed parameter figure of the survey's experiment beside our count"),
    ("Findings", "findings/index.md", "contradictions in the sources, ranked, each with its numbers, evidence and an innocent explanation"),
    ("Sources", "sources/index.md", "each source's claims, cell by cell, beside our counts"),
    ("Statements, checked", "survey/statements.md", "the survey's sentences, checked against its own tables"),
    ("Glossary", "glossary.md", "the meaning of each word"),
    ("How we measure", "how-we-measure.md", "what trainable, changed, stored, memory and overhead mean here"),
)  # fmt: skip
_DATA = (
    ("index.json", f"{ROOT}/index.json", "start here: every file of the JSON API with its schema"),
    ("methods.json", f"{ROOT}/methods.json", "one row per method, measured on T5-Large"),
    ("Data", "data.md", "all tables and views as CSV and Parquet, and the DuckDB database"),
)


def llms(reader: Reader, around: Surroundings) -> str:
    """The text; addresses are absolute where the site's is known, else relative to this file."""
    base = around.address or ""

    def page(path: str) -> str:
        """The Markdown beside a page, or the page where pages are opened as files and have none."""
        if not path.endswith(".md"):
            return path
        return address_of(path, offline=True) if around.offline else twin_of(path)

    def line(title: str, path: str, about: str) -> str:
        return f"- [{_plain(title)}]({base}{page(path)}): {_plain(about)}"

    methods = [
        line(
            m.name,
            f"{ROOT}/methods/{m.id}.json",
            f"{m.family.replace('_', ' ')}; page {base}{page(f'methods/{m.id}.md')}",
        )
        for m in reader.all("SELECT id, name, family FROM method ORDER BY lower(name), id")
    ]
    parts = [
        "# surveykit",
        "> A catalog of parameter-efficient fine-tuning (PEFT) methods that checks what sources claim about them (a survey, "
        "papers, benchmarks): each figure beside our count on the real architectures, with a verdict.",
        f"Table 5 of the survey: {finding(reader).unescape()} Null means unknown or not applicable, never zero; a status "
        "or reason beside it says which. Percentages are of the bare backbone's parameters.",
        "## Pages",
        "\n".join(line(*entry) for entry in _PAGES),
        "## Data",
        "\n".join(line(*entry) for entry in _DATA),
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
