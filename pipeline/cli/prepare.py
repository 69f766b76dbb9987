"""`vlsenet prepare`: is a data set fit for training? Then `split.csv`, by micrograph."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pipeline.cli.overrides import dataset_options
from pipeline.cli.parser import Command
from pipeline.cli.paths import existing_folder
from pipeline.errors import MISTAKE, SUCCESS

if TYPE_CHECKING:
    from pipeline.data import DatasetIndex


def run(options: argparse.Namespace) -> int:
    """Write or check the split; returns the exit status.

    Raises:
        UserError: a problem with the options or the data set.
    """
    from pipeline.data.label_check import check_labels
    from pipeline.data.leaks import search_leaks
    from pipeline.data.pairs import name_groups
    from pipeline.data.split_file import make_split_file, read_divided

    folder = existing_folder(options.dataset_dir)
    dataset = dataset_options(options)
    if options.check:
        index = read_divided(folder, **dataset)
    else:
        index, written = make_split_file(
            folder, val=options.val, test=options.test, seed=options.seed, overwrite=options.overwrite, **dataset
        )
        print(f"wrote {' and '.join(str(index.roots[0] / file.name) for file in written)}")
    for note in index.notes:
        print(f"note: {note}")
    for problem in index.skipped:
        print(f"skipped: {problem.line(index.roots[0])}")
    print(_table(index))

    for doubt in check_labels(index.samples):
        print(f"warning: {doubt}")
    leaks = search_leaks(index.samples).leaks
    if not leaks:
        print("no leaks: no two splits share content")
        groups = name_groups([sample.name for sample in index.samples])
        if groups is not None and all(sample.source == sample.name for sample in index.samples):
            print(f"but adjacent tiles of one micrograph, which share no content, are not found this way, and {groups}")
        return SUCCESS
    print(f"{len(leaks)} leak(s), which make results look better than they are; give these images the same source:")
    for leak in leaks:
        print(f"  {leak}")
    return MISTAKE


def _table(index: DatasetIndex) -> str:
    """The parts' sizes."""
    import pandas as pd

    from pipeline.data import areas_of, split_totals

    totals = split_totals(index.samples)
    pixels = sum(total["pixels"] for total in totals.values())
    columns = {
        "sources": [total["sources"] for total in totals.values()],
        "images": [total["images"] for total in totals.values()],
        "pixels": [total["pixels"] for total in totals.values()],
        "share of pixels": [total["pixels"] / pixels for total in totals.values()],
    }
    (values,) = index.values
    if values.unlabelled:
        columns["labelled"] = [total["labelled"] / total["pixels"] for total in totals.values()]
    # with a space in front, as names hold single ones
    shown = {name: "porosity" if values.pores_only else f" {name}" for name in values.names}
    for name, column in shown.items():
        of_splits = (areas_of([sample for sample in index.samples if sample.split == split]) for split in totals)
        columns[column] = [areas[name] for areas in of_splits]
    frame = pd.DataFrame(columns, index=pd.Index(totals, name="split"))
    formatters = {"share of pixels": "{:.1%}".format, "labelled": "{:.2%}".format}
    return frame.to_string(formatters=formatters | dict.fromkeys(shown.values(), "{:.2%}".format))


COMMAND = Command(
    "check images and masks, and write split.csv",
    """\
Checks every file, lists all problems, splits the images by micrograph with similar porosity in each part, and looks for
images that share content across parts, which make results look better than they are (exit status 1). What is said of
the labels is remembered in the folder: no later command needs it. A single micrograph is cut into two parts.

examples:
  # each image is a micrograph of its own
  vlsenet prepare my_rock

  # tiles 11_1.png, 11_2.png ... belong to micrograph 11; label value 2 is pore; 20 % of the pixels for testing
  vlsenet prepare my_rock --group_pattern '^([0-9]+)_' --pore_label 2 --test 0.2

  # label values 2 and 3 are pore, 1 is silt grain, and about 255 nothing is known: also writes phases.csv
  vlsenet prepare my_rock --phases "pore=2+3, silt grain=1" --unlabelled 255

  # only look for leaks in the existing split.csv
  vlsenet prepare my_rock --check
""",
    run,
    options="prepare",
    in_front="dataset_dir",
)
