"""VLSE-Net for rock SEM: pores, porosity and their evidence, built on MONAI.

The commands are `vlsenet ...`. In Python:

    import pipeline as vlsenet

    model = vlsenet.load()                                  # the default model, or load("best.pt")
    result = model.segment("scan.tif")                      # or model.predict(array, pixel_size_nm=10)
    result.porosity, result.mask, result.probability, result.pores
    vlsenet.measure(mask, pixel_size_nm=10)                 # the pores of a mask from anywhere

Everything is loaded when it is first used: `import pipeline` itself takes no time.
"""

from __future__ import annotations

import random
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.api.loading import load
    from pipeline.api.measured import Measured, measure
    from pipeline.api.model import Model
    from pipeline.api.segmentation_result import Segmentation
    from pipeline.errors import FileProblem, UserError

__version__ = "0.2.0"

#: each public name, and the module that has it; `measure` is the package of that name, which can be called
_HOME = {
    "load": "pipeline.api.loading",
    "Model": "pipeline.api.model",
    "Segmentation": "pipeline.api.segmentation_result",
    "measure": "pipeline",
    "Measured": "pipeline.api.measured",
    "UserError": "pipeline.errors",
    "FileProblem": "pipeline.errors",
}
__all__ = ["FileProblem", "Measured", "Model", "Segmentation", "UserError", "__version__", "load", "measure"]


def __getattr__(name: str) -> Any:
    if name == "measure":
        return import_module("pipeline.measure")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return loaded(_HOME[name], name)


def loaded(module: str, name: str) -> Any:
    """Something of a module, which is imported by its first use."""
    drawn = random.getstate()  # libraries draw numbers when they are imported; a user's seed is to hold
    try:
        return getattr(import_module(module), name)
    finally:
        random.setstate(drawn)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
