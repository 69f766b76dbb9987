"""Any image file to pixels, and what the microscope says of it."""

from pipeline.images.opening import inputs_of, open_scan, scans_in
from pipeline.images.source import ScanSource
from pipeline.images.stack import ScanStack, open_stack
from pipeline.images.views import ChangedSource, cropped, inverted

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
