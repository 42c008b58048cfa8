"""papers.bib → Paper records."""

from __future__ import annotations

import re
from typing import Any

from surveykit.catalog.records import Paper
from surveykit.errors import Problem

_PLAIN = re.compile(r"([^\W_]|[ .,:;()/+=*@]|-(?!-)|\{([^\W_]|[ .,:;()/+=*@]|-(?!-))*\})*")
"""What means itself in LaTeX, but for braces around some of it."""


def read_papers(text: str, file: str) -> tuple[dict[str, Paper], list[Problem]]:
    """Parse the text of a bibliography; every entry that cannot be read, repeats a key or lacks a field is a problem."""
    import bibtexparser
    from bibtexparser.middlewares import LatexDecodingMiddleware
    from bibtexparser.model import Block, Entry

    class Decoding(LatexDecodingMiddleware):  # type: ignore[misc]
        """Decodes only where there is something to decode: it takes a fifth of the time of a load otherwise."""

        def transform_entry(self, entry: Entry, library: bibtexparser.Library) -> Block:
            fields, special = entry.fields, []
            for field in fields:
                if _PLAIN.fullmatch(field.value):
                    field.value = field.value.replace("{", "").replace("}", "")
                else:
                    special.append(field)
            entry.fields = special
            decoded = super().transform_entry(entry, library)
            entry.fields = fields
            return decoded

    try:
        library = bibtexparser.parse_string(text, append_middleware=[Decoding()])
        sources = {entry.key: entry.raw for entry in bibtexparser.parse_string(text).entries}
    except Exception as error:  # of bibtexparser and pylatexenc, which have no common one
        return {}, [Problem(file, 0, 0, f"not BibTeX: {type(error).__name__}: {error}")]
    problems = [
        Problem(file, (block.start_line or 0) + 1, 1, f"not a BibTeX entry: {block.error}")
        for block in library.failed_blocks
    ]
    papers: dict[str, Paper] = {}
    for entry in library.entries:
        fields = {name.lower(): str(field.value) for name, field in entry.fields_dict.items()}
        line = (entry.start_line or 0) + 1
        missing = [name for name in ("title", "author", "year") if not fields.get(name)]
        if missing or not re.fullmatch(r"(19|20)[0-9]{2}", fields.get("year", "")):
            wanted = ", ".join(missing) or "a year from 1900 to 2099"
            problems.append(Problem(file, line, 1, f"the entry '{entry.key}' lacks {wanted}"))
            continue
        papers[entry.key] = _paper(entry.key, fields, sources[entry.key])
    return papers, problems


def _paper(key: str, fields: dict[str, str], bibtex: Any) -> Paper:
    arxiv = fields.get("eprint") or None
    url = fields.get("url") or (f"https://arxiv.org/abs/{arxiv}" if arxiv else None)
    return Paper(
        key=key,
        title=re.sub(r"[{}]", "", fields["title"]),
        authors=tuple(part.strip() for part in re.split(r"\s+and\s+", fields["author"])),
        year=int(fields["year"]),
        venue=fields.get("booktitle") or fields.get("journal"),
        url=url,
        arxiv=arxiv,
        doi=fields.get("doi"),
        bibtex=str(bibtex).strip(),
    )
