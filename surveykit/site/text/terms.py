"""The words of glossary.yaml: what each means, and links to it from wherever a page uses it first."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from surveykit.catalog.yaml12 import parse
from surveykit.errors import SurveyError, nearest
from surveykit.record import Record
from surveykit.site.text.markdown import escape, slug, target

GLOSSARY = "glossary.md"
"""The page that lists them."""
_FILE = Path(__file__).parent.parent / "glossary.yaml"


class Term(Record):
    """One word."""

    term: str
    means: str
    also: tuple[str, ...] = ()
    """Other names for it."""
    see: str | None = None
    """A page with more, perhaps with an anchor."""

    @property
    def anchor(self) -> str:
        """Its place on the page: the word in lower case with hyphens."""
        return slug(self.term)


class Group(Record):
    """Words of one subject, under a heading."""

    group: str
    terms: tuple[Term, ...]


class _Groups(Record):
    groups: tuple[Group, ...]


@cache
def glossary() -> tuple[Group, ...]:
    """All words, in the order of the file."""
    document, problems = parse(_FILE.read_text(encoding="utf-8"), _FILE.name)
    if document is None or problems:
        raise SurveyError("\n".join(map(str, problems)))
    return _Groups.model_validate({"groups": document.data}, strict=False).groups


@cache
def _by_name() -> dict[str, Term]:
    """Each word by each of its names, in lower case."""
    return {name.lower(): term for group in glossary() for term in group.terms for name in (term.term, *term.also)}


def term_link(name: str, page: str, shown: str | None = None) -> Markup:
    """A link from a page to a word's place in the glossary, with its meaning for whoever points at it.

    Args:
        shown: what stands on the page, where it is not the name.

    Raises:
        SurveyError: there is no such word.
    """
    found = _by_name().get(name.lower())
    if found is None:
        raise SurveyError(f"{_FILE.name} has no term '{name}'{nearest(name.lower(), _by_name())}")
    return Markup(f'[{escape(shown or name)}]({target(f"{GLOSSARY}#{found.anchor}", page)} "{escape(found.means)}")')


@pass_context
def term(context: Context, name: str, shown: str | None = None) -> Markup:
    """`term_link` for a template, which knows the page that it renders."""
    return term_link(name, context["page"], shown)
