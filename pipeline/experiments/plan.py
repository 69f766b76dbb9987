"""What an experiment runs: every variant of a training with every seed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import UserError

#: options of both commands: the data set, and how an image is segmented
_SHARED = (
    "dataset_dir",
    "pore_label",
    "group_pattern",
    "skip_bad",
    "device",
    "tile_size",
    "tile_overlap",
    "tile_batch",
    "precision",
    "statistics",
    "text_weights",
)
#: options that belong to one run, which neither a plan nor a command line may set for all
_OWN = ("output_dir", "resume", "overwrite", "seed", "tracking_uri", "experiment_name", "run_name", "checkpoint")


@dataclass(frozen=True)
class Run:
    """One training and its evaluation.

    Attributes:
        variant: name of the variant.
        seed: random seed of the training.
        folder: folder of its results.
        training: overrides of ``train.yaml``, without the places of results.
        evaluation: overrides of ``evaluate.yaml``, without the places of results.
    """

    variant: str
    seed: int
    folder: Path
    training: dict[str, Any]
    evaluation: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.variant} seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """Variants of a training, and what they share.

    Attributes:
        variants: name to overrides of ``train.yaml``, in the order of the table.
        baseline: the variant that the others are compared with.
        seeds: random seeds.
        common: overrides of ``train.yaml`` for all variants; a variant's own come after them.
        evaluation: overrides of ``evaluate.yaml``.
    """

    variants: Mapping[str, Mapping[str, Any]]
    baseline: str
    seeds: tuple[int, ...] = (0,)
    common: Mapping[str, Any] | None = None
    evaluation: Mapping[str, Any] | None = None

    def with_common(self, overrides: Mapping[str, Any]) -> Plan:
        """The plan with further overrides for all variants.

        Raises:
            UserError: an option that each run has for itself.
        """
        _check_not_own("--", overrides)
        return replace(self, common={**(self.common or {}), **overrides})

    def runs(self, output_dir: Path, only: Sequence[str] = (), seeds: Sequence[int] = ()) -> list[Run]:
        """All runs, in ``output_dir/VARIANT/seedK``: every variant with the first seed, then with the second.

        Args:
            output_dir: folder of the experiment.
            only: names of the variants to run; empty for all.
            seeds: in place of the plan's.

        Raises:
            UserError: a name that is no variant.
        """
        unknown = [name for name in only if name not in self.variants]
        if unknown:
            raise UserError(f"no such variant: {', '.join(unknown)}; there are {', '.join(self.variants)}")
        runs = []
        for seed in seeds or self.seeds:
            for variant, overrides in self.variants.items():
                if only and variant not in only:
                    continue
                training = {**(self.common or {}), **overrides, "seed": seed}
                shared = {name: training[name] for name in _SHARED if name in training}
                folder = output_dir / variant / f"seed{seed}"
                runs.append(Run(variant, seed, folder, training, {**shared, **(self.evaluation or {})}))
        return runs


def read_plan(path: str | Path) -> Plan:
    """Read a plan from a YAML file with ``variants``, ``baseline``, ``seeds``, ``common`` and ``evaluation``.

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
        raise UserError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    known = {"variants", "baseline", "seeds", "common", "evaluation"}
    if not isinstance(content, dict) or not content.get("variants") or set(content) - known:
        raise UserError(f"{path}: it must hold `variants`, and nothing besides {', '.join(sorted(known))}")
    parts = {name: _overrides(path, name, content.get(name)) for name in ("variants", "common", "evaluation")}
    variants = {}
    for name, overrides in parts["variants"].items():
        # the name is a folder, and stands in an expression of a config
        if not re.fullmatch(r"\w[\w.-]*", str(name)):
            raise UserError(f"{path}: variant {name!r}: a name of letters, digits and . _ - is needed")
        variants[str(name)] = _flat(_overrides(path, f"variant {name}", overrides))
        _check_not_own(f"{path}: variant {name}: ", variants[str(name)])
    _check_not_own(f"{path}: common: ", parts["common"])
    _check_not_own(f"{path}: evaluation: ", parts["evaluation"])
    baseline = str(content.get("baseline", next(iter(variants))))
    if baseline not in variants:
        raise UserError(f"{path}: baseline {baseline!r} is not among the variants {', '.join(variants)}")
    seeds = check_seeds(f"{path}: seeds", content.get("seeds", [0]))
    return Plan(variants, baseline, seeds, _flat(parts["common"]), _flat(parts["evaluation"]))


def check_seeds(what: str, seeds: Any) -> tuple[int, ...]:
    """Return distinct seeds.

    Raises:
        UserError: anything but whole numbers, 0 or more.
    """
    good = isinstance(seeds, (list, tuple)) and all(type(seed) is int and seed >= 0 for seed in seeds)
    if not good or not seeds or len(set(seeds)) < len(seeds):
        raise UserError(f"{what} {seeds}: give different whole numbers, 0 or more")
    return tuple(seeds)


def _overrides(path: Path, what: str, given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise UserError(f"{path}: {what} must be a list of `name: value`, not {given!r}")
    return given


def _flat(overrides: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in overrides.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}::")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _check_not_own(where: str, overrides: Mapping[str, Any]) -> None:
    own = [name for name in overrides if name in _OWN]
    if own:
        raise UserError(f"{where}{own[0]}: it is set for each run by itself, and can't be given")
