"""A bundle command as MONAI's workflow, with the checks that MONAI lacks: names, values, the folder of results."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from pydoc import locate
from typing import Any

from monai.bundle import ConfigParser, ConfigWorkflow
from monai.bundle.config_item import ComponentLocator
from monai.bundle.utils import ID_SEP_KEY
from monai.utils import ensure_tuple

import pipeline
from pipeline.bundle_files import config_files, text_in_config, text_of_config
from pipeline.errors import UserError
from pipeline.memory import keep_freed_memory
from pipeline.options import BUNDLE, check_options, id_in, move_to_entries, names_in, text_options, without_effect
from pipeline.wording import check_name, nearest, some_of
from pipeline.workflows.export import FORMATS, MANIFEST
from pipeline.workflows.ranks import Ranks

logger = logging.getLogger("vlsenet")

COMMON_FILE = "common.yaml"
#: what `ConfigWorkflow` takes itself; all else overrides entries of the config
_OF_MONAI = set(inspect.signature(ConfigWorkflow.__init__).parameters)
_RUNNING: ContextVar[CheckedWorkflow | None] = ContextVar("running", default=None)

#: the files that show that a command has written here, and whether the command can resume from them
_MARKS: dict[str, tuple[tuple[str, ...], bool]] = {
    "train": (("checkpoints/last.pt",), True),
    "evaluate": (("per_image.csv",), False),
    "inference": (("porosity.csv",), True),
    "audit": (("audit.csv",), False),
    "export": ((MANIFEST, *(kind.file for kind in FORMATS.values())), False),
    "scan": ((), False),  # its journal knows
}


class CheckedWorkflow(ConfigWorkflow):
    """A bundle command that refuses what it doesn't know, before anything is loaded or written.

    MONAI merges every override into the config, also a misspelt one, and goes on with the default. The configs name
    their `command`, whose options (`pipeline.options`) are checked.
    """

    def __init__(self, config_file: str | Sequence[str], **arguments: Any) -> None:
        """
        Args:
            config_file: the config, or several that are merged; `common.yaml` may be left out.
            arguments: as for `ConfigWorkflow`: overrides by name, such as `max_epochs`.

        Raises:
            UserError: an override that changes nothing in the config.
        """
        files = _with_common_file([str(file) for file in ensure_tuple(config_file)])
        overrides = {name: value for name, value in arguments.items() if name not in _OF_MONAI}
        check_names(overrides, files)
        super().__init__(files, **arguments)
        self.overrides, self.files = overrides, files
        config = self.parser.get()
        move_to_entries(config)
        for name in text_options():
            place = id_in(config, name)
            if (value := self.parser.get(place)) is not None:
                self.parser[place] = _literal(value)

    def initialize(self) -> Any:
        """Check the options, then run what the config says first.

        Raises:
            UserError: an option is missing or wrong, or the folder of the results holds some already.
        """
        keep_freed_memory()
        if not Ranks.of_environment().is_first:  # of several processes only one logs
            logger.setLevel(logging.ERROR)
        config = self.parser.get()
        if "command" not in config:
            raise UserError(
                f"{some_of(self.files)}: no line `command: ...`, as in configs of vlsenet 0.1.0; this is vlsenet "
                f"{pipeline.__version__}: take its configs (`vlsenet paths` prints where they are), with your changes"
            )
        command = check_name("command", config["command"], BUNDLE)
        check_options(command, config)
        for name in without_effect(command, self.overrides):
            logger.warning("--%s has no effect: %s does not use it", name, command)
        output_dir = str(text_of_config(config["output_dir"]))
        check_output_folder(command, output_dir, bool(config["resume"]), bool(config["overwrite"]))
        with self._running():
            return super().initialize()

    def run(self) -> Any:
        """Run the command."""
        with self._running():
            return super().run()

    @contextmanager
    def _running(self) -> Iterator[None]:
        before = _RUNNING.set(self)
        try:
            yield
        finally:
            _RUNNING.reset(before)


def _literal(value: Any) -> Any:
    """Text, or each of a list, as MONAI keeps it: it would replace the # of a path; what begins with $, @ or % is meant
    for it."""
    if isinstance(value, list):
        return [_literal(one) for one in value]
    return text_in_config(value) if isinstance(value, str) and not value.startswith(("$", "@", "%")) else value


def run_config(command: str, **overrides: Any) -> None:
    """Run `common.yaml` and the config of a command in this process.

    Args:
        command: `train`, `evaluate`, `inference`, `scan`, `audit` or `export`.
        overrides: config entries by name, and arguments of MONAI's `ConfigWorkflow`.

    Raises:
        SystemExit: the command was interrupted.
        Exception: as the command raises it; :func:`pipeline.errors.mistake_behind` tells a user's mistake.
    """
    workflow = CheckedWorkflow(config_files(command), **overrides)
    workflow.initialize()
    workflow.run()
    workflow.finalize()


def is_checked() -> bool:
    """Whether a :class:`CheckedWorkflow` is running."""
    return _RUNNING.get() is not None


def running_config() -> dict[str, Any]:
    """The config of the running bundle command with its overrides, not evaluated: it repeats the same run.

    Raises:
        UserError: a program runs the config by MONAI's own class, which does not show it to its entries.
    """
    running = _RUNNING.get()
    if running is None:
        raise UserError(
            "this config needs the workflow class of this package: give workflow_name="
            f"'{CheckedWorkflow.__module__}.{CheckedWorkflow.__name__}' to monai.bundle.create_workflow or run"
        )
    return dict(running.parser.get())


def check_output_folder(command: str, output_dir: str, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that holds results, unless the user says what to do with them.

    Args:
        command: `train`, `evaluate`, `inference`, `audit`, `export` or `scan`.
        output_dir: the folder; it need not exist.
        resume: resume from what is there.
        overwrite: replace what is there.

    Raises:
        UserError: results that would be overwritten, or nothing to resume.
    """
    marks, resumable = _MARKS[command]
    there = [mark for mark in marks if (Path(output_dir) / mark).exists()]
    if resume and command == "scan":
        raise UserError("--resume: an interrupted scan resumes without it; run the same command again without --resume")
    if resume and not resumable:
        raise UserError(f"--resume: {command} can't be resumed; --overwrite replaces earlier results")
    if resume and overwrite:
        raise UserError("--resume continues earlier results and --overwrite replaces them: give only one of them")
    if resume and not there:
        raise UserError(f"--resume: there is no {marks[0]} in {output_dir} to resume from; start without --resume")
    if there and not (resume or overwrite):
        choices = "--resume resumes from it, --overwrite replaces it" if resumable else "--overwrite replaces it"
        raise UserError(f"{output_dir} already holds {there[0]}: {choices}, or choose another --output_dir")


def _with_common_file(files: list[str]) -> list[str]:
    """The config files with the shared one, which stands beside the first of them, in front."""
    if any(Path(file).name == COMMON_FILE for file in files):
        return files
    common = Path(files[0]).with_name(COMMON_FILE)
    if not common.is_file():
        raise UserError(f"{files[0]}: {common} is missing; copy the bundle's {COMMON_FILE} there")
    return [str(common), *files]


def check_names(overrides: Iterable[str], files: Sequence[str]) -> None:
    """Refuse an override that changes nothing in a config.

    Args:
        overrides: names, such as `max_epochs` or `switches::context`.
        files: of the config.

    Raises:
        UserError: naming the override and the nearest name that exists.
    """
    declared = ConfigParser.load_config_files(list(files))
    for name in overrides:
        path = id_in(declared, name.replace("#", ID_SEP_KEY)).split(ID_SEP_KEY)
        node: Any = declared
        for depth, key in enumerate(path):
            known = _known_below(node) if depth else names_in(declared)
            if key not in known:
                prefix = "".join(f"{part}{ID_SEP_KEY}" for part in path[:depth])
                raise UserError(f"unknown option --{name}{_suggestion(prefix, key, known)}")
            node = node.get(key, {}) if isinstance(node, Mapping) else node[int(key)]


def _known_below(node: Any) -> list[str]:
    """The names allowed below a config node: its keys, and the arguments of the class it makes."""
    if isinstance(node, list):
        return [str(index) for index in range(len(node))]
    if not isinstance(node, Mapping):
        return []
    target = node.get("_target_")
    return [*map(str, node), *(_arguments_of(target) if isinstance(target, str) else ())]


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
