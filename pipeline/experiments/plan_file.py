"""The YAML file of an experiment, and whether every variant is a training that can be run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from pipeline.bundle_files import config_files, flattened
from pipeline.errors import UserError
from pipeline.experiments.plan import DATA_OPTIONS, FoldPlan, Plan, check_not_own
from pipeline.experiments.record import Run
from pipeline.options import check_options

_KNOWN = ("variants", "baseline", "seeds", "folds", "common", "evaluation")


def read_plan(path: str | Path) -> Plan:
    """Read a plan: ``variants``, ``baseline``, ``seeds``, ``folds``, ``common`` and ``evaluation``.

    Overrides may be nested: ``switches: {context: false}`` is ``switches::context: false``.

    Raises:
        UserError: no such file, or not a plan.
    """
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: it can't be read ({error.strerror}); give a YAML file of variants") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict) or not content.get("variants") or set(content) - set(_KNOWN):
        raise UserError(f"{path}: must hold `variants`, and no entries other than {', '.join(sorted(_KNOWN))}")
    parts = {name: _overrides(path, name, content.get(name)) for name in ("variants", "common", "evaluation")}
    variants = {}
    for name, overrides in parts["variants"].items():
        # the name is a folder and a tag
        if not re.fullmatch(r"\w[\w.-]*", str(name)):
            raise UserError(f"{path}: variant {name!r}: use only letters, digits and . _ - in names")
        variants[str(name)] = flattened(_overrides(path, f"variant {name}", overrides), "::")
        check_not_own(f"{path}: variant {name}: ", variants[str(name)], DATA_OPTIONS)
    check_not_own(f"{path}: common: ", parts["common"])
    check_not_own(f"{path}: evaluation: ", parts["evaluation"], DATA_OPTIONS)
    folds = FoldPlan.parse(f"{path}: folds", content.get("folds", "split"))
    baseline = str(content.get("baseline", next(iter(variants))))
    if baseline not in variants:
        raise UserError(f"{path}: baseline {baseline!r} is not one of the variants {', '.join(variants)}")
    return Plan(
        variants,
        baseline,
        check_seeds(f"{path}: seeds", content.get("seeds", [0])),
        folds,
        flattened(parts["common"], "::"),
        flattened(parts["evaluation"], "::"),
    )


def check_seeds(what: str, seeds: Any) -> tuple[int, ...]:
    """Return distinct seeds.

    Raises:
        UserError: anything but whole numbers, 0 or more.
    """
    good = isinstance(seeds, (list, tuple)) and all(type(seed) is int and seed >= 0 for seed in seeds)
    if not good or not seeds or len(set(seeds)) < len(seeds):
        raise UserError(f"{what} {seeds}: give distinct whole numbers, 0 or more")
    return tuple(seeds)


def _overrides(path: Path, what: str, given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise UserError(f"{path}: {what} must be a list of `name: value`, not {given!r}")
    return given


def check_runs(runs: Sequence[Run]) -> None:
    """Check the options of each variant, in a process of its own, which may import MONAI.

    Raises:
        UserError: everything that is wrong, a line each.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(find_mistakes, list(runs)).result()


def find_mistakes(runs: Sequence[Run]) -> None:
    """What :func:`check_runs` does, in this process."""
    problems = []
    for run in {run.variant: run for run in runs}.values():
        for command, overrides in (("train", run.training), ("evaluate", run.evaluation)):
            try:
                _check_options(command, {**overrides, "output_dir": str(run.folder)})
            except UserError as error:
                problems += [f"variant {run.variant}: {line}" for line in str(error).splitlines()]
    if problems:
        raise UserError("\n".join(problems))


def _check_options(command: str, overrides: dict[str, Any]) -> None:
    from monai.bundle import ConfigParser

    from pipeline.workflows.bundle_workflow import check_names

    files = config_files(command)
    parser = ConfigParser()
    parser.read_config(files)
    check_names(overrides, files)
    parser.update(overrides)
    if command == "train":  # an evaluation asks for a checkpoint that is still to come
        check_options(command, parser.get())
