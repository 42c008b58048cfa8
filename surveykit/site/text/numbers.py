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


def significant(value: float, digits: int = 3) -> str:
    """A number to so many significant digits, with its digits in groups: `0.320`, `13.6`, `1,230`."""
    rounded = Decimal(f"{value:.{digits - 1}e}")
    return f"{rounded:,.{max(0, digits - 1 - rounded.adjusted())}f}" if value else "0"


def parameters(value: int | None) -> str:
    """A count of parameters as it is read: exact below a million, then `2.36 million`, `1.21 billion`."""
    if value is None or abs(value) < 1_000_000:
        return count(value)
    unit, size = ("billion", 1_000_000_000) if abs(value) >= 999_500_000 else ("million", 1_000_000)
    return f"{significant(value / size)} {unit}"


def gigabytes(value: float | None) -> str:
    """Bytes as memory is read, in GB of 10^9 bytes: `13.6 GB`."""
    return ABSENT if value is None else f"{significant(value / 1e9)} GB"


def extra(value: float) -> str:
    """What is added, in percent of what was there, with its sign: `+0.322 %`."""
    return f"+{significant(value)} %" if value >= 0 else f"−{significant(-value)} %"


def millions(value: int | None) -> str:
    """A count in millions, to two decimals."""
    return ABSENT if value is None else f"{Decimal(value) / 1_000_000:,.2f}"


def percent(value: float | None) -> str:
    """A percentage to three significant digits, its unit in the head of its column: `0.320`, `10.5`, `0.00402`."""
    if value is None:
        return ABSENT
    return "100" if value == 100 else significant(value)


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


def error(percent: float, decimals: int = 1) -> str:
    """How far one figure is above another, in percent with its sign; what rounds to nothing is not below it."""
    return f"{percent:+z.{decimals}f} %".replace("-", "−")


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
