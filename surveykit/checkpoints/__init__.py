"""Checkpoints: what the header of a file of weights says, without the weights, and whether a model has that shape.

Nothing here imports torch: a header is read as data (safetensors as JSON, PyTorch's pickles as instructions of which
only the harmless are followed), and compared with the names and shapes that surveykit.engine gives.
"""

from __future__ import annotations

from surveykit.errors import MissingExtra

try:
    import huggingface_hub as _huggingface_hub  # noqa: F401 (only to say early and clearly that the extra is missing)
except ImportError as error:
    raise MissingExtra(error.name or "huggingface_hub", "measure") from error

from surveykit.checkpoints.compare import Comparison, Geometry, compare
from surveykit.checkpoints.header import Header, Tensor
from surveykit.checkpoints.read import read

__all__ = ["Comparison", "Geometry", "Header", "Tensor", "compare", "read"]
