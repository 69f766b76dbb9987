"""What a command line sets in the configs: the options that were given, and `--set`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.bundle_files import text_in_config
from pipeline.errors import UserError
from pipeline.options import names_in, options_of
from pipeline.wording import nearest

_POWER_OF_TEN = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


def overrides(given: argparse.Namespace, config: str) -> dict[str, Any]:
    """The config entries that a command line sets.

    Args:
        given: as parsed: the options that were given, and `set`.
        config: name of the config, such as `scan`.

    Raises:
        UserError: a wrong `--set`.
    """
    options = options_of(config)
    values = {name: value for name, value in vars(given).items() if name in options}
    typed = {name: _in_config(value) for name, value in values.items()}
    return {**typed, **parse_assignments(given.set, config)}


def _in_config(value: Any) -> Any:
    """A value as configs can hold it: a list of one folder is that folder."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, list):
        return [_in_config(one) for one in value]
    return text_in_config(value) if isinstance(value, str) else value


def parse_assignments(assignments: Sequence[str], config: str) -> Mapping[str, Any]:
    """The values given by `--set`.

    Args:
        assignments: `name=value`, the value in YAML.
        config: name of the config, such as `scan`.

    Raises:
        UserError: a name that is not in the config, or a value that is not YAML.
    """
    import yaml

    from pipeline.bundle_files import config_files

    values: dict[str, Any] = {}
    files = config_files(config) if assignments else []
    declared = [yaml.safe_load(Path(file).read_text(encoding="utf-8")) for file in files]
    names = names_in({name: entry for one in declared for name, entry in one.items()})
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        if not separator:
            raise UserError(f"--set {assignment}: give a name and a value, as in --set {assignment}=VALUE")
        first, part, rest = name.partition("::")
        if first not in names:
            nearest_first = nearest(first, names)
            meant = nearest_first and nearest_first + part + rest
            hint = f"did you mean {meant}?" if meant else f"see the options in {config}.yaml"
            raise UserError(f"--set {assignment}: {config}.yaml has no option {name}; {hint}")
        try:
            # YAML 1.1 reads 1e-3 as text
            values[name] = float(text) if _POWER_OF_TEN.fullmatch(text) else yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UserError(f"--set {assignment}: {text!r} is not valid YAML; put text in quotes") from error
    return values


#: options on how a data set is read
_READING = ("pore_label", "phases", "unlabelled", "group_pattern", "info_bar", "skip_bad")


def dataset_options(given: argparse.Namespace) -> dict[str, Any]:
    """Those on how a data set is read that were given."""
    return {name: getattr(given, name) for name in _READING if hasattr(given, name)}
