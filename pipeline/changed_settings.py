"""What differs between two sets of settings, in words: why a command does not go on with what another began."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipeline.bundle_files import flattened

#: what a setting is called in messages, where its own name does not say it; by the last part of that
_CALLED = {
    "modified": "time of the file's last change",
    "bytes": "size of the file (bytes)",
    "sha256_of_samples": "content of the file (SHA-256)",
    "sha256_of_fingerprints": "files of the slices (SHA-256)",
    "checkpoint_sha256": "model (SHA-256)",
}
#: letters of a hash that a message shows
_HASH = 12


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what differs between two sets of settings, as `threshold was 0.5, now 0.6`, for people.

    Names inside mappings are joined by dots; times are those of this machine's clock, and of hashes there is a part.
    """
    old, new = flattened(before), flattened(now)
    changed = [name for name in sorted({*old, *new}) if name not in old or name not in new or old[name] != new[name]]
    return [f"{_called(name)} was {_shown(old, name, new)}, now {_shown(new, name, old)}" for name in changed]


def _called(name: str) -> str:
    return _CALLED.get(name.rpartition(".")[2], name)


def _shown(values: Mapping[str, Any], name: str, others: Mapping[str, Any]) -> str:
    if name not in values:
        return "not given"
    value, last = values[name], name.rpartition(".")[2]
    if last == "modified" and isinstance(value, float):
        times = [datetime.fromtimestamp(one).astimezone() for one in (value, others.get(name)) if one is not None]
        exact = len({time.replace(microsecond=0) for time in times}) < len(times)
        return times[0].isoformat(" ", "microseconds" if exact else "seconds")
    if "sha256" in last and isinstance(value, str):
        return value[:_HASH]
    return value if isinstance(value, str) and re.fullmatch(r"\S+", value) else json.dumps(value, ensure_ascii=False)
