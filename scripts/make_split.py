"""Write split.csv for a data set, by source image and stratified by porosity, and look for leaks between splits."""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.data import DatasetIndex

EXAMPLES = r"""
examples:
  # each image is a micrograph of its own
  python scripts/make_split.py --dataset_dir DIR

  # tiles 11_1.png, 11_2.png, ... are parts of micrograph 11; label value 2 is pore
  python scripts/make_split.py --dataset_dir DIR --pore_label 2 --group_pattern '^(\d+)_'

  # also keep 20 % of the pixels for a test
  python scripts/make_split.py --dataset_dir DIR --val 0.2 --test 0.2

  # only look for leaks in the split.csv that is there
  python scripts/make_split.py --dataset_dir DIR --check

exit status: 0 when all is well, 1 when two splits share content (split.csv is written all the same), 2 for a
mistake in the options or the data
"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--dataset_dir", required=True, metavar="DIR", help="folder with images/ and labels/")
    add("--pore_label", metavar="K", help="label value that means pore; not needed for masks with two values")
    add("--group_pattern", metavar="REGEX", help="finds the source in a file name: its first group")
    add("--val", type=float, default=0.2, metavar="F", help="share of the pixels for validation (default: 0.2)")
    add("--test", type=float, default=0.0, metavar="F", help="share of the pixels for a test (default: 0)")
    add("--seed", type=int, default=0, help="another seed gives another split (default: 0)")
    add("--check", action="store_true", help="only report the leaks of the split.csv that is there")
    add("--overwrite", action="store_true", help="replace a split.csv that is there")
    add("--skip_bad", action="store_true", help="go on without files that have problems, and list them")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = parse(arguments)
    from pipeline.errors import UserError

    try:
        return run(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def run(options: argparse.Namespace) -> int:
    """Write or check the split; returns the exit status.

    Raises:
        UserError: The options or the data set don't allow it.
    """
    from pipeline.errors import UserError

    if options.val <= 0 or options.test < 0 or options.val + options.test >= 1:
        raise UserError(
            f"--val {options.val} --test {options.test}: shares of the pixels are meant; --val must be above 0, "
            f"--test not below 0, and something must be left for training"
        )
    path = Path(options.dataset_dir) / "split.csv"
    if options.check and not path.exists():
        raise UserError(f"{path}: there is no such file to check; leave out --check to write one")
    if not options.check and path.exists() and not options.overwrite:
        raise UserError(f"{path} is there already; --overwrite replaces it, --check looks for leaks in it")

    from pipeline.data import index_dataset, index_with_new_split
    from pipeline.data.leaks import find_leaks

    data = {"pore_label": options.pore_label, "group_pattern": options.group_pattern, "skip_bad": options.skip_bad}
    if options.check:
        index = index_dataset(options.dataset_dir, **data)
    else:
        fractions = {"train": 1 - options.val - options.test, "val": options.val, "test": options.test}
        index = index_with_new_split(options.dataset_dir, fractions, seed=options.seed, **data)
        try:
            write_split(path, index)
        except OSError as error:
            raise UserError(
                f"{path}: it can't be written ({error.strerror}); check the folder's permissions"
            ) from error
        print(f"wrote {path}")
    for note in index.notes:
        print(f"note: {note}")
    for problem in index.skipped:
        print(f"skipped: {problem.line(index.root)}")
    print(table(index))

    leaks = find_leaks(index.samples)
    if not leaks:
        print("no leaks: no content is in two splits")
        return 0
    print(f"{len(leaks)} leak(s), which make results look better than they are; give such images the same source:")
    for leak in leaks:
        print(f"  {leak}")
    return 1


def write_split(path: Path, index: DatasetIndex) -> None:
    """Write `split.csv` beside its name and rename it into place."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".split-", suffix=".csv")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["name", "source", "split"])
            writer.writerows([sample.name, sample.source, sample.split] for sample in index.samples)
        os.chmod(temporary, 0o644)  # mkstemp makes it private, and data sets are shared
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def table(index: DatasetIndex) -> str:
    """Return the splits' sizes as a table."""
    import pandas as pd

    from pipeline.data import split_totals

    totals = split_totals(index.samples)
    frame = pd.DataFrame(
        {
            "sources": [t["sources"] for t in totals.values()],
            "images": [t["images"] for t in totals.values()],
            "pixels": [t["pixels"] for t in totals.values()],
            "share of pixels": [t["pixels"] / sum(u["pixels"] for u in totals.values()) for t in totals.values()],
            "porosity": [t["porosity"] for t in totals.values()],
        },
        index=pd.Index(totals, name="split"),
    )
    percent = "{:.1%}".format
    return frame.to_string(formatters={"share of pixels": percent, "porosity": "{:.2%}".format})


if __name__ == "__main__":
    sys.exit(main())
