"""From a user's folder of SEM images and masks to a checked list of samples with splits.

A folder (`images/`, `labels/`, `text/`, `split.csv`, `phases.csv`) enters, or several; a `DatasetIndex` leaves, with a
fingerprint and a list of problems. `pairs.py` finds what belongs together, `checks.py` looks into the files,
`label_choice.py` knows what label values mean, `splits.py` and `folds.py` divide by source, `cut.py` a single image,
`leaks.py` and `label_check.py` doubt, `merging.py` makes one of several. Pixels are read by `pipeline.images`.
"""

from pipeline.data.checks import check_image, load_image
from pipeline.data.index import index_dataset, index_with_new_split
from pipeline.data.merging import index_datasets
from pipeline.data.problems import Problem
from pipeline.data.samples import DatasetIndex, Sample, areas_of, split_totals
from pipeline.data.splits import sources_by_pattern
from pipeline.images import IMAGE_SUFFIXES, is_image, read_image, read_label, stem_of
