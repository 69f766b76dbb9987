"""Any image file to pixels, and what the microscope says of it."""

from pipeline.images.opening import inputs_of, open_image, scans_in
from pipeline.images.source import ImageSource
from pipeline.images.stack import ScanStack, open_stack
from pipeline.images.views import ChangedSource, cropped, inverted

__all__ = [
    "ChangedSource",
    "ImageSource",
    "ScanStack",
    "cropped",
    "inputs_of",
    "inverted",
    "open_image",
    "open_stack",
    "scans_in",
]
