"""Query, measure and verify a catalog of parameter-efficient fine-tuning methods.

Every `surveykit` command is also a function here, with the command's options as keyword arguments:

>>> import surveykit
>>> surveykit.count("lora", model="t5-large").trainable  # doctest: +SKIP
2359296
>>> survey = surveykit.load()
>>> survey.query("type = 'R'", as_="pandas")  # doctest: +SKIP
"""

from __future__ import annotations

import sys
from types import ModuleType

__version__ = "0.1.0"
__all__ = ["Survey", "SurveyError", "__version__", "audit", "bench", "build", "check", "cite", "compare", "count", "export", "fields",
           "fit", "load", "mcp", "measure", "new", "query", "reproduce", "schema", "show", "site", "sources", "trial", "validate", "verify",
           "verify_backbones", "verify_params", "where"]  # fmt: skip
_MODULES = {
    "surveykit.api.asking": ("audit", "cite", "fields", "query", "sources"),
    "surveykit.api.benching": ("bench",),
    "surveykit.api.checking": ("check",),
    "surveykit.api.comparing": ("compare",),
    "surveykit.api.making": ("build", "export", "new", "reproduce", "schema", "site", "validate", "where"),
    "surveykit.api.fitting": ("fit",),
    "surveykit.api.measuring": ("count", "measure", "trial"),
    "surveykit.api.serving": ("mcp",),
    "surveykit.api.showing": ("show",),
    "surveykit.api.verifying": ("verify", "verify_backbones", "verify_params"),
    "surveykit.errors": ("SurveyError",),
    "surveykit.survey": ("Survey", "load"),
}
# Names are looked up on first use: `surveykit query` must start without Pydantic.
_PLACES = {name: module for module, names in _MODULES.items() for name in names}

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surveykit.api.asking import audit, cite, fields, query, sources
    from surveykit.api.benching import bench
    from surveykit.api.checking import check
    from surveykit.api.comparing import compare
    from surveykit.api.fitting import fit
    from surveykit.api.making import build, export, new, reproduce, schema, site, validate, where
    from surveykit.api.measuring import count, measure, trial
    from surveykit.api.serving import mcp
    from surveykit.api.showing import show
    from surveykit.api.verifying import verify, verify_backbones, verify_params
    from surveykit.errors import SurveyError
    from surveykit.survey import Survey, load


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'surveykit' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """Keeps the functions `bench`, `fit`, `site` and `verify` in their place: importing the packages of these names would put the
    packages there. `from surveykit.fit import …` still finds them."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _PLACES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
