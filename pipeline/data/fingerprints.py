"""The fingerprint of a data set as one number, and what differs between two, in words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from pipeline.data.splits import SPLITS
from pipeline.wording import some_of

#: of a file: what a message calls it, from what a user changes to what follows from it
_PARTS = {
    "image_sha256": "image",
    "label_sha256": "label",
    "prompt": "sentence",
    "source": "source",
    "split": "split",
    "part": "part",
    "shape": "size without info bar",
}
_SENTENCE = "prompt"


def hash_of(fingerprint: Mapping[str, Any], sentences: bool = False) -> str:
    """Of what `DatasetIndex.fingerprint` gives; with `sentences` as versions up to 0.2.0 took it, asked or not."""
    content = {name: value for name, value in fingerprint.items() if name != "hash"}
    if not sentences:
        content["files"] = [{**file, _SENTENCE: None} for file in content["files"]]
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:16]


def changes(then: Mapping[str, Any], now: Mapping[str, Any], sentences: bool, splits: Collection[str] = SPLITS) -> str:
    """What of some data is not what it was.

    Args:
        then, now: as `DatasetIndex.fingerprint` gives them.
        sentences: whether images are asked with sentences of their own; others change nothing.
        splits: that are used; what changed in others is no change.

    Returns:
        Such as "label of b; new: c, d"; empty where all that is used is the same.
    """
    before, after = ({file["name"]: file for file in data["files"]} for data in (then, now))
    used = {
        name: None
        for name in [*before, *after]
        if any(files[name]["split"] in splits for files in (before, after) if name in files)
    }
    found: dict[str, list[str]] = {}
    for name in used:
        if name not in before or name not in after:
            found.setdefault("new: " if name in after else "gone: ", []).append(name)
        for part in _changed(before[name], after[name], sentences) if name in before and name in after else ():
            found.setdefault(f"{part} of ", []).append(name)
    told = [f"{what}{some_of(names)}" for what, names in found.items()]
    if any(then.get(key) != now.get(key) for key in ("pore_label", "values")):
        told.append("meaning of the label values")
    if not told and [name for name in before if name in used] != [name for name in after if name in used]:
        told.append("order of the data sets")
    return "; ".join(told)


def _changed(before: Mapping[str, Any], after: Mapping[str, Any], sentences: bool) -> list[str]:
    """The parts of one file that differ; what only follows from them is not named."""
    keys = [key for key in dict.fromkeys([*before, *after]) if sentences or key != _SENTENCE]
    other = {key for key in keys if before.get(key) != after.get(key)}
    named = [what for key, what in _PARTS.items() if key in other]
    return named or (["pixels"] if other else [])
