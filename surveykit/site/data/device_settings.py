"""Memory of training steps on an accelerator in many settings, beside what is predicted: read from a file that a benchmark
writes."""

from __future__ import annotations

from datetime import date

from surveykit.record import Record


class SettingRun(Record):
    """One configuration on one model in one setting. Bytes."""

    model: str
    configuration: str
    setting: str
    """How it differs from the usual setting, in words."""
    batch: int
    length: int
    predicted: int
    """The peak of a step after the first."""
    allocated: int
    """What the allocator held at most in such a step."""

    @property
    def error_percent(self) -> float:
        """How far the prediction is above what was allocated, in percent of it."""
        return 100 * (self.predicted / self.allocated - 1)


class DeviceSettings(Record):
    """What `benchmarks/device_settings.py` found on one device."""

    date: date
    device: str
    torch: str
    transformers: str
    usual: str
    """The setting from which the others differ, in words."""
    runs: tuple[SettingRun, ...]
