"""Scripts of `benchmarks/` as modules, for the tests that try a sample of what they try."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from conftest import ROOT


def script(name: str) -> ModuleType:
    """A script of benchmarks/, loaded and not run; its neighbours are found while it is loaded."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)
