"""What views of several sources share: quantities that are counted or predicted here, and points with what is known of methods."""

from __future__ import annotations

from collections.abc import Sequence

from surveykit.database.reading import Reader
from surveykit.site.data.explorer import Point, Quantity

COUNTED = "as counted here"
PREDICTED = "as predicted here"
YEAR = Quantity("year", "year", "", "year", None, "printed", "Year of the method's paper.", "")
STORED = Quantity(
    "stored", "bytes stored for a task", "", "bytes", "less", "instantiated",
    "What has to be kept for a task, at 4 bytes a number, counted on this model.", COUNTED,
)  # fmt: skip
COUNT = Quantity("counted", "trainable parameters by our count", "", "count", "less", "instantiated",
                  "Counted on the instantiated model.", COUNTED)  # fmt: skip
PREDICTION = Quantity(
    "predicted", "peak memory by our prediction", "GB", "number", "less", "traced",
    "A training step in the source's setting, traced on the model without weights.", PREDICTED,
)  # fmt: skip


class Methods:
    """What is known of methods, whatever the source."""

    def __init__(self, reader: Reader) -> None:
        self._by_id = {m.id: m for m in reader.all("SELECT id, name, family, type, year FROM methods")}

    def name(self, method: str) -> str:
        return str(self._by_id[method].name)

    def point(self, label: str, method: str, configuration: str | None, **values: float | None) -> Point:
        """A point with the values that are known, and the year."""
        m = self._by_id[method]
        known = {key: value for key, value in {"year": m.year, **values}.items() if value is not None}
        return Point(label, method, m.family, m.type or "none", configuration or "", known)


def gigabytes(bytes_: int | float | None) -> float | None:
    return None if bytes_ is None else bytes_ / 1e9


def memory_of(points: Sequence[Point], configuration: str) -> float | None:
    return next((p.values.get("memory") for p in points if p.configuration == configuration), None)


def full_tuning(reader: Reader) -> str:
    return str(reader.one("SELECT full_tuning FROM judging").full_tuning)
