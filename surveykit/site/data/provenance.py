"""When the figures were checked, on which commit and with which versions; and how to cite a page with that."""

from __future__ import annotations

import re
from datetime import date

from surveykit.database.reading import Reader
from surveykit.output import in_latex
from surveykit.record import Record
from surveykit.site.inputs import Surroundings


class Provenance(Record):
    """What stands behind every figure of the site."""

    checked: date | None
    """The day of the newest check or, without one for this build, of the newest measurement."""
    commit: str | None
    """Of the repository; None outside one."""
    versions: tuple[tuple[str, str], ...]
    """Programs and their versions, ours first."""
    address: str
    """Where the site lies, or the repository where that is not known."""

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        when = (
            f"Figures checked on {self.checked.day} {self.checked:%B %Y}" if self.checked else "Figures not checked yet"
        )
        commit = f", commit {self.short_commit}" if self.commit else ""
        return f"{when}{commit}{''.join(f', {name} {version}' for name, version in self.versions)}."

    @property
    def short_commit(self) -> str:
        """Ten digits of the commit, and the word that says if files differ from it."""
        digits, space, rest = (self.commit or "").partition(" ")
        return f"{digits[:10]}{space}{rest}"

    def bibtex(self, path: str, title: str) -> str:
        """An entry for a page.

        Args:
            path: its address below the site's root.
        """
        key = re.sub(r"[^a-z0-9]+", "-", f"surveykit-{path.removesuffix('.html')}".lower()).strip("-")
        note = f"Checked on {self.checked.isoformat()}" if self.checked else ""
        fields = {
            "title": in_latex(re.sub("[{}]", " ", title)),  # BibTeX counts braces, escaped ones too
            "author": "{The surveykit authors}",
            "howpublished": f"surveykit {dict(self.versions).get('surveykit', '')}".strip(),
            "year": str(self.checked.year) if self.checked else "",
            "url": self.address + path if self.address.endswith("/") else self.address,
            "note": f"{note}, commit {self.short_commit}" if note and self.commit else note,
        }
        return "\n".join(
            [f"@misc{{{key},", *(f"  {name} = {{{value}}}," for name, value in fields.items() if value), "}"]
        )


def provenance(reader: Reader, around: Surroundings) -> Provenance:
    """Of what was checked for this build, else of the newest recorded run."""
    found = around.checked or next(iter(reader.all("SELECT * FROM run ORDER BY date DESC, run DESC LIMIT 1")), None)
    names = ("surveykit", "torch", "transformers")
    versions = tuple((name, getattr(found, name)) for name in names) if found is not None else ()
    if found is not None and around.memory_error is not None:
        versions += (("PEFT", around.memory_error.peft),)
    return Provenance(
        checked=date.fromisoformat(str(found.date)) if found is not None else None,
        commit=around.checked.commit if around.checked else around.commit,
        versions=versions,
        address=around.address or around.repository,
    )
