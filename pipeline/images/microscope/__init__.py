"""What a microscope's file says about how its image was taken, and where its info bar begins."""

from pipeline.images.microscope.acquisition import Acquisition, read_acquisition
from pipeline.images.microscope.info_bar import find_info_bar, info_bar_height
