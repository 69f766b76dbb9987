"""What is measured on a segmented scan.

A finished segmentation (`engine.ScanStore`: mask and probability) and the counts of its blocks enter; tables, numbers
and the labelled volume leave. Nothing here changes the segmentation, and nothing reads the scan but the alignment of
slices and the figure of a stack.

- `porosity.py`: porosity, its fields of view and its interval.
- `pores_2d/`: every pore of every slice (``pores.csv``, ``pores.parquet``), equal to `skimage.measure`.
- `pores_3d/`: the pores of a stack in space (``pores_3d.csv``, labels, connected fractions).
- `pore_statistics/`: sizes, directions, chords, two-point correlation, representative area.
- `pixel_runs.py`: which runs of pixels are connected, in 2-D and 3-D. `table_files.py`: CSV and Parquet.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """The package as the function `vlsenet.measure`: both have the name that fits them best."""

    def __call__(self, mask: Any, **options: Any) -> Any:
        """As `pipeline.api.measured.measure`."""
        import pipeline

        return pipeline.loaded("pipeline.api.measured", "measure")(mask, **options)


sys.modules[__name__].__class__ = _Callable
