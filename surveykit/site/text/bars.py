"""Bars to scale, for numbers that have a whole."""

from __future__ import annotations

from markupsafe import Markup

from surveykit.site.text.markdown import escape


def share(part: float, whole: float, *, of: str) -> Markup:
    """A bar to scale: a part of a whole, which is the box around it. A part that is more than the whole sticks out of it.

    Args:
        of: the whole in words, for whoever does not see the bar.
    """
    widest = max(part / whole, 1.0)
    said = escape(f"{100 * part / whole:.0f} % of {of}")
    return Markup(
        f'<svg class="share" viewBox="0 0 {100 * widest:.1f} 6" preserveAspectRatio="none" role="img" aria-label="{said}">'
        f'<rect class="whole" width="100" height="6"/><rect class="part" width="{100 * part / whole:.1f}" height="6"/></svg>'
    )
