"""Cells of tables that have an address of their own."""

from __future__ import annotations

from markupsafe import Markup

from surveykit.site.text.markdown import Cell, escape, slug


def cell(shown: Cell, *parts: str) -> Markup:
    """A cell that is a link to itself, so that its address can be copied; the parts make its anchor."""
    anchor = "-".join(slug(part) for part in parts)
    return Markup(f'<a class="cell" id="{anchor}" href="#{anchor}">{escape(shown)}</a>')
