"""What a microscope's file says about how its image was taken, and where its info bar begins."""

from pipeline.microscope.acquisition import Acquisition
from pipeline.microscope.bar_choice import imaged_rows, info_bar_height, read_bottom
from pipeline.microscope.info_bar import find_info_bar
from pipeline.microscope.reading import read_acquisition

__all__ = ["Acquisition", "find_info_bar", "imaged_rows", "info_bar_height", "read_acquisition", "read_bottom"]
