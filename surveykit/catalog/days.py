"""Days, as the catalog writes them."""

from datetime import date


def check_day(text: str) -> None:
    """Accept a day written as year-month-day, such as 2026-01-31. Raises ValueError for all else."""
    try:
        same = date.fromisoformat(text).isoformat() == text
    except ValueError:
        same = False
    if not same:
        raise ValueError(f"date: '{text}' is no day written as year-month-day")
