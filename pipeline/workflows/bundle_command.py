"""Checks what the user typed after ``python -m monai.bundle run``.

MONAI merges every ``--name value`` into the config, even a misspelt one, and then trains with the default.
Nothing in a config can see what came from the command line, so it is read from MONAI's own call, which
is on the stack while ``initialize`` runs.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pydoc import locate
from typing import Any

from monai.bundle import ConfigParser, ConfigWorkflow, create_workflow, run
from monai.bundle.config_item import ComponentLocator
from monai.bundle.utils import ID_SEP_KEY
from monai.utils import ensure_tuple

from pipeline.errors import UserError
from pipeline.wording import nearest

#: arguments of MONAI's own ``run`` and workflow, which are no config entries
_MONAI_ARGUMENTS = {
    "run_id",
    "init_id",
    "final_id",
    "meta_file",
    "logging_file",
    "tracking",
    "workflow_type",
    "workflow_name",
    "properties_path",
}

#: what follows an @ in MONAI's configs, up to the first separator
_REFERENCE = re.compile(r"@(\w+)")


@dataclass(frozen=True)
class BundleCommand:
    """The running bundle command.

    Attributes:
        config_files: the files given as ``--config_file``, in order; none if a program made the
            ``ConfigWorkflow`` itself, which does not keep them.
        arguments: the other arguments of MONAI's ``run`` or ``create_workflow``: its own, and the overrides.
        config: the config with the overrides, not evaluated.
        is_run: True below MONAI's ``run``, False where only ``create_workflow`` was called.
    """

    config_files: tuple[str, ...]
    arguments: Mapping[str, Any]
    config: Mapping[str, Any]
    is_run: bool

    @classmethod
    def running(cls) -> BundleCommand:
        """Read the command from the stack; to be called while a config's ``initialize`` runs.

        Raises:
            RuntimeError: outside such a call.
        """
        parser: ConfigParser | None = None
        frame = sys._getframe()
        while frame.f_back is not None:
            frame = frame.f_back
            caller = frame.f_locals.get("self")
            if parser is None and isinstance(caller, ConfigWorkflow):
                parser = caller.parser
            if frame.f_code is create_workflow.__code__ and parser is not None:
                given = frame.f_locals
                from_file = ConfigParser.load_config_files(given["args_file"]) if given["args_file"] else {}
                arguments = {**from_file, **{k: v for k, v in given["kwargs"].items() if v is not None}}
                config_files = ensure_tuple(given["config_file"] or from_file["config_file"])
                arguments.pop("config_file", None)
                caller_code = frame.f_back.f_code if frame.f_back else None
                return cls(tuple(map(str, config_files)), arguments, parser.get(), caller_code is run.__code__)
        if parser is None:
            raise RuntimeError("no MONAI bundle command is running")
        return cls((), {}, parser.get(), False)

    @property
    def overrides(self) -> dict[str, Any]:
        """The config entries that the command set."""
        return {name: value for name, value in self.arguments.items() if name not in _MONAI_ARGUMENTS}

    def check_overrides(self) -> None:
        """Refuse an override that changes nothing in the config.

        Raises:
            UserError: naming the override and the nearest name that exists.
        """
        if not self.config_files:
            return
        declared = ConfigParser.load_config_files(list(self.config_files))
        for name in self.overrides:
            _check_override(name, declared)

    def without_effect(self, steps: Collection[str], read_here: Collection[str]) -> list[str]:
        """The overrides that the command does not read: each command uses only a part of the shared config.

        Args:
            steps: entries that are run, such as ``initialize``.
            read_here: entries that are read without a reference.
        """
        reached, waiting = set(read_here), set(steps)
        while waiting:
            name = waiting.pop()
            reached.add(name)
            waiting |= _references(self.config.get(name)) - reached
        return [name for name in self.overrides if name.split(ID_SEP_KEY)[0] not in reached]


def _references(entry: Any) -> set[str]:
    """Names of the config's entries that an entry refers to."""
    if isinstance(entry, Mapping):
        return set().union(*map(_references, entry.values()))
    if isinstance(entry, (list, tuple)):
        return set().union(*map(_references, entry))
    return set(_REFERENCE.findall(entry)) if isinstance(entry, str) else set()


def running_config() -> dict[str, Any]:
    """The config of the running bundle command with its overrides, not evaluated: it repeats the same run."""
    return dict(BundleCommand.running().config)


def _check_override(name: str, declared: Mapping[str, Any]) -> None:
    path = name.replace("#", ID_SEP_KEY).split(ID_SEP_KEY)
    node: Any = declared
    for depth, key in enumerate(path):
        known = _names_in(node)
        if key not in known:
            prefix = "".join(f"{part}{ID_SEP_KEY}" for part in path[:depth])
            raise UserError(f"unknown option --{name}{_suggestion(prefix, key, known)}")
        node = _child(node, key)


def _child(node: Any, key: str) -> Any:
    if isinstance(node, Mapping):
        return node.get(key, {})
    return node[int(key)]


def _names_in(node: Any) -> list[str]:
    """The names allowed below a config node: its keys, and the arguments of the class it makes."""
    if isinstance(node, list):
        return [str(index) for index in range(len(node))]
    if not isinstance(node, Mapping):
        return []
    names = [str(key) for key in node]
    target = node.get("_target_")
    if isinstance(target, str):
        names += _arguments_of(target)
    return names


def _arguments_of(target: str) -> list[str]:
    found = ComponentLocator().get_component_module_name(target)
    made = locate(f"{found}.{target}" if isinstance(found, str) else target)
    try:
        return list(inspect.signature(made).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):  # not found or without a signature: the declared keys must do
        return []


def _suggestion(prefix: str, key: str, known: Iterable[str]) -> str:
    options = [name for name in known if not name.startswith("_")]
    if meant := nearest(key, options, 0.5):
        return f"; did you mean --{prefix}{meant}?"
    return f"; choose from {', '.join(sorted(options))}"
