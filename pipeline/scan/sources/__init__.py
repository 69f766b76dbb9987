"""Reading scans of any size: TIFF, Zarr, NIfTI, MRC, PNG, JPEG, BMP and stacks of slices."""

from pipeline.scan.sources.changed import ChangedSource, inverted
from pipeline.scan.sources.opening import inputs_of, open_scan, scans_in
from pipeline.scan.sources.roi import cropped
from pipeline.scan.sources.source import ScanSource
from pipeline.scan.sources.stack import ScanStack, open_stack

__all__ = [
    "ChangedSource",
    "ScanSource",
    "ScanStack",
    "cropped",
    "inputs_of",
    "inverted",
    "open_scan",
    "open_stack",
    "scans_in",
]
