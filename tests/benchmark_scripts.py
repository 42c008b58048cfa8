"""Scripts of `benchmarks/` as modules, for the tests that try a sample of what they try."""

from __future__ import annotations

import importlib.util
from functools import cache
from types import ModuleType

from conftest import ROOT


@cache
def script(name: str) -> ModuleType:
    """A script of benchmarks/, loaded and not run."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
