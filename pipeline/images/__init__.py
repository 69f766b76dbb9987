"""Any image file to pixels, and what the microscope says of it.

In goes a path or an address; out comes a source of grey values that is read window by window (`open_image`), all of
them at once (`read_image`), the classes of a label (`read_label`), or the slices of a stack (`open_stack`). How files
of a format are recognised, and what reads them, stands in `formats.FORMATS`.
"""

from pipeline.images.folders import inputs_of, scans_in
from pipeline.images.formats import IMAGE_SUFFIXES, is_image, stem_of
from pipeline.images.opening import open_image, open_only_image, read_image, read_label
from pipeline.images.source import ChangedSource, ImageSource, cropped
from pipeline.images.volume import ScanStack, ScanVolume, open_stack, open_volume
