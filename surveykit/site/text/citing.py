"""BibTeX of a page, with the version and date of what it says."""

from __future__ import annotations

from surveykit import __version__
from surveykit.database.reading import Reader
from surveykit.site.inputs import Surroundings


def page_citation(reader: Reader, key: str, title: str, page: str, around: Surroundings) -> str:
    """An entry for a page of this site.

    The date is that of the newest measurement, unless all was measured again for this site: so it names what the figures
    are, not when somebody looked at them.

    Args:
        key: what the entry is called, after `surveykit-`.
        page: its path, as Markdown.
    """
    newest = reader.one("SELECT max(date) AS date FROM run").date
    date = around.checked.date if around.checked else str(newest or "")
    commit = f", commit {around.checked.commit[:10]}" if around.checked and around.checked.commit else ""
    address = f"{around.address}{page.removesuffix('.md')}/" if around.address else around.repository
    plain = "".join(" " if c in "{}\\\n" else c for c in title)
    fields = {
        "title": f"{{{plain}}}",
        "author": "{The surveykit authors}",
        "year": date[:4],
        "howpublished": f"surveykit {__version__}, page {page.removesuffix('.md')}",
        "url": address,
        "note": f"Figures of {date}{commit}",
    }
    lines = [f"  {name:<12} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@misc{{surveykit-{key},", *lines, "}"])
