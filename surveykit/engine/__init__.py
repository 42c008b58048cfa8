"""The engine: recipes instantiated on real architectures. The only package that imports torch."""

from __future__ import annotations

import gc

from surveykit.errors import MissingExtra

# What is imported stays. To look for garbage in it, again and again as it grows, takes a quarter of the time.
_collects = gc.isenabled()
gc.disable()
try:
    try:
        import torch as _torch  # noqa: F401 (only to say early and clearly that the extra is missing)
        import transformers as _transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "measure") from error
    from surveykit.engine.counts import Counts, count
    from surveykit.engine.edits.attach import Attached
    from surveykit.engine.models.catalogued import build
    from surveykit.engine.models.configs import open_config
    from surveykit.engine.models.model import Instance, instance_of
finally:
    if _collects:
        gc.enable()

__all__ = ["Attached", "Counts", "Instance", "build", "count", "instance_of", "open_config"]
