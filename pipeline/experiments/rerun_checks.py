"""Whether data, code and machine are as they were when a run was made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.data import index_dataset
from pipeline.errors import UserError
from pipeline.experiments.tracked_run import FinishedTraining
from pipeline.workflows.provenance import environment


def check_data(first: FinishedTraining, dataset_dir: str, split_csv: Path) -> None:
    """Refuse data that are not those of the training.

    Raises:
        UserError: naming the first file that differs.
    """
    try:
        # trainings of versions without this option left info bars in the images
        bar = first.config.get("info_bar", "keep")
        index = index_dataset(dataset_dir, pore_label=first.data["pore_label"], split_csv=split_csv, info_bar=bar)
    except UserError as error:
        told = str(error).replace(str(split_csv), "the run's split.csv")
        raise UserError(
            f"{dataset_dir} is not the data set that {first.name} was trained on: restore it, or give its folder as "
            f"--dataset_dir\n{told}"
        ) from error
    found = index.fingerprint()
    if found["hash"] == first.data["hash"]:
        return
    then = {file["name"]: file for file in first.data["files"]}
    now = {file["name"]: file for file in found["files"]}
    changed = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    told = f"{len(changed)} of {len(then)} images differ, such as {changed[0]}" if changed else "the totals differ"
    raise UserError(
        f"{dataset_dir} is not the data set that {first.name} was trained on (fingerprint {found['hash']}, was "
        f"{first.data['hash']}; {told}): restore it, or give --dataset_dir"
    )


def changes(then: Mapping[str, Any]) -> list[str]:
    """What is not as it was, of code, packages and machine; a line each."""
    now = environment("cpu")
    lines = [
        f"{name} was {then['versions'][name]}, now {version}"
        for name, version in now["versions"].items()
        if name in then["versions"] and then["versions"][name] != version
    ]
    packages = then.get("packages", {})
    others = [name for name in packages.keys() & now["packages"].keys() if packages[name] != now["packages"][name]]
    others += packages.keys() ^ now["packages"].keys() if packages else []
    others = sorted(set(others) - set(then["versions"]))
    if others:
        lines.append(f"{len(others)} other packages differ: {', '.join(others[:8])}{' ...' if len(others) > 8 else ''}")
    return lines + [
        f"{name} was {then[name]}, now {now[name]}"
        for name in ("platform", "processor")
        if name in then and then[name] != now[name]
    ]
