"""From a user's folder of SEM images and masks to a checked list of samples with splits."""

from pipeline.data.checks import check_image
from pipeline.data.images import IMAGE_SUFFIXES, is_image, read_image, read_label, stem_of
from pipeline.data.index import index_dataset, index_with_new_split
from pipeline.data.intensity import Intensity
from pipeline.data.problems import Problem
from pipeline.data.samples import DatasetIndex, Sample, split_totals
from pipeline.data.shading import Shading
from pipeline.data.splits import sources_by_pattern

__all__ = [
    "IMAGE_SUFFIXES",
    "DatasetIndex",
    "Intensity",
    "Problem",
    "Sample",
    "Shading",
    "check_image",
    "index_dataset",
    "index_with_new_split",
    "is_image",
    "read_image",
    "read_label",
    "sources_by_pattern",
    "split_totals",
    "stem_of",
]
