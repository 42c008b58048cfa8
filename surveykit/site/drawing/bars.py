"""Two numbers as bars on one scale, each with its words: the picture of a finding."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from surveykit.site.text.markdown import escape

_LEAST = 0.15
"""Percent of the width: what a bar too short to be seen still has."""


def bars(finding: Any) -> Markup:
    """The two numbers of a row of `finding`, as HTML with an inline picture each; their lengths are the numbers' ratio."""
    longest = max(finding.first_value, finding.second_value, 0) or 1.0
    lines = (
        (finding.first_says, finding.first_value, finding.first_text, "first"),
        (finding.second_says, finding.second_value, finding.second_text, "second"),
    )
    return Markup('<div class="bars">{}</div>').format(
        Markup("").join(_line(says, value / longest, text, kind) for says, value, text, kind in lines)
    )


def _line(says: str, share: float, text: str, kind: str) -> Markup:
    width = max(100 * share, _LEAST)
    drawn = f'<rect class="{kind}" width="{width:.2f}" height="10"/>'
    picture = f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">{drawn}</svg>'
    words = Markup('<span class="number">{}</span> <span class="says">{}</span>').format(escape(text), escape(says))
    return Markup('<div class="bar">{}{}</div>').format(words, Markup(picture))
