"""The only place of the site where numbers become text."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

ABSENT = "–"


def count(value: int | None) -> str:
    """A whole number with its digits in groups."""
    return ABSENT if value is None else f"{value:,}"


def like_printed(value: Decimal | None, decimals: int | None) -> str:
    """A measured figure with as many decimals as the printed one that it stands beside."""
    if value is None:
        return ABSENT
    return str(value.quantize(Decimal(1).scaleb(-(decimals or 0)), rounding=ROUND_HALF_UP))


def millions(value: int | None) -> str:
    """A count in millions, to two decimals."""
    return ABSENT if value is None else f"{Decimal(value) / 1_000_000:,.2f}"


def percent(value: float | None) -> str:
    """A percentage to three decimals, or to two significant digits where these would say too little."""
    if value is None:
        return ABSENT
    if value == 0 or value >= 0.0095:
        return f"{value:.3f}".removesuffix(".000") if value >= 100 else f"{value:.3f}"
    leading = int(f"{value:e}".partition("e")[2])
    return f"{value:.{1 - leading}f}"


def factor(value: float) -> str:
    """A ratio in words: `about 690 times`, `3.9 times`."""
    return f"about {round(value, -1):,.0f} times" if value >= 100 else f"{value:.2g} times"


def score(value: float | None) -> str:
    """A score or a deviation, to two decimals."""
    if value is None:
        return ABSENT
    return str(Decimal(f"{value:.9f}").quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def change(value: float) -> str:
    """How far a score moves, with its sign; a dash where two decimals show nothing."""
    return f"{value:+.2f}".replace("-", "−") if abs(value) >= 0.005 else ABSENT


def figure(value: object) -> str:
    """A figure that a query found."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") if value == 0 or abs(value) >= 0.01 else f"{value:.2g}"
    if isinstance(value, list):
        return ", ".join(figure(part) for part in value)
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 100_000 else str(value)
