"""What a microscope's file says about how its image was taken, and where its info bar begins."""

from pipeline.images.microscope.acquisition import Acquisition, read_acquisition
from pipeline.images.microscope.bar_by_look import find_info_bar
from pipeline.images.microscope.info_bar import rows_without_bar
