"""The folds of an experiment on disk: ``folds.json``, and a file of sources and splits for each.

They are made once, and all variants and all later calls have the same.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.data import DatasetIndex, index_dataset
from pipeline.data.folds import Fold, k_folds, leave_out_folds, source_sizes
from pipeline.data.split_file import told_in, write_split_csv
from pipeline.data.splits import SPLIT_FILE
from pipeline.errors import UserError
from pipeline.experiments.plan import DATA_OPTIONS, FoldPlan, RunFold
from pipeline.files import write_text

logger = logging.getLogger("vlsenet")

FILE = "folds.json"


def prepare_folds(plan: FoldPlan, common: Mapping[str, Any], output_dir: Path) -> list[RunFold]:
    """Divide the data set, or check that it is the one that was divided before.

    Writes ``folds.json`` (which source is in which fold, the data's fingerprints) and ``folds/NAME.csv`` into the
    experiment's folder; `common` are the options of all variants, with the data set.

    Raises:
        UserError: a data set that can't be used or divided; data or folds that differ from those of an earlier call.
    """
    data = {name: common[name] for name in DATA_OPTIONS if name in common}
    if data.get("group_pattern") is not None:  # a command line makes numbers of digits
        data["group_pattern"] = str(data["group_pattern"])
    index = index_dataset(str(data.pop("dataset_dir")), divide=plan.kind == "split", **data)
    divided = [(fold, fold.divide(index)) for fold in _divide(plan, index)] if plan.kind != "split" else []
    folds = [
        RunFold(
            fold.name,
            (output_dir / "folds" / f"{fold.name}.csv").absolute(),
            index_of_fold.fingerprint()["hash"],
            "test" if plan.validation else "val",
        )
        for fold, index_of_fold in divided
    ] or [RunFold(fingerprint=index.fingerprint()["hash"])]
    content = {
        "folds": asdict(plan) | {"sources": list(plan.sources)},
        "data": _content_hash(index),
        "divisions": [_described(fold, part) for fold, part in divided] or [_own_split(index)],
    }
    _keep(content, output_dir / FILE)
    told = told_in(
        Path(data.get("split_csv") or index.roots[0] / SPLIT_FILE), {sample.name for sample in index.samples}
    )
    for fold, (_, part) in zip(folds, divided, strict=False):
        if fold.split_csv is not None:
            write_split_csv(fold.split_csv, (sample.split_row for sample in part.samples), told)
    if divided and not plan.validation:
        logger.warning("the tested images also choose epoch and threshold (validation: 0), which flatters all variants")
    return folds


def _divide(plan: FoldPlan, index: DatasetIndex) -> list[Fold]:
    sizes = source_sizes(index)
    try:
        if plan.kind == "k":
            return k_folds(sizes, plan.k, plan.validation, plan.seed)
        return leave_out_folds(sizes, plan.sources, plan.validation, plan.seed)
    except UserError as error:
        raise UserError(f"{index.place}: folds: {error}") from error


def _described(fold: Fold, index: DatasetIndex) -> dict[str, Any]:
    return {"name": fold.name, "tested": list(fold.tested), **_own_split(index)}


def _own_split(index: DatasetIndex) -> dict[str, Any]:
    sources: dict[str, list[str]] = {}
    for sample in index.samples:
        members = sources.setdefault(sample.split, [])
        if sample.source not in members:
            members.append(sample.source)
    return {"sources": sources, "data_fingerprint": index.fingerprint()["hash"]}


def _content_hash(index: DatasetIndex) -> str:
    """Of images and labels alone, however they are divided."""
    undivided = Fold("all", (), {sample.source: "test" for sample in index.samples}).divide(index)
    return str(undivided.fingerprint()["hash"])


def _keep(content: dict[str, Any], path: Path) -> None:
    try:
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else content
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can't be read ({error}); choose another --output_dir") from error
    for part, name in {"data": "images or labels", "folds": "folds", "divisions": "sources or splits"}.items():
        if before.get(part) != content[part]:
            raise UserError(
                f"{path.parent} was started with other {name} (see {path}), so its results would not be comparable: "
                "restore them, or choose another --output_dir"
            )
    write_text(path, json.dumps(content, indent=2))
