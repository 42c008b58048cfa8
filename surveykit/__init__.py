"""A catalog of parameter-efficient fine-tuning methods: queried, measured, verified.

>>> import surveykit
>>> survey = surveykit.load()
>>> survey.query("type = 'R'", as_="pandas")  # doctest: +SKIP
"""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["Survey", "SurveyError", "__version__", "load"]

# Names are looked up on first use: `surveykit query` must start without Pydantic.
_PLACES = {"Survey": "surveykit.survey", "SurveyError": "surveykit.errors", "load": "surveykit.survey"}

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surveykit.errors import SurveyError
    from surveykit.survey import Survey, load


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'surveykit' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
