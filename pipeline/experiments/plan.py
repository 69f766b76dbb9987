"""What an experiment runs: every variant of a training, on every fold, with every seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import UserError
from pipeline.experiments.record import Run
from pipeline.options import options_of

_GIVE = "give split, a number of folds (2 or more), leave_one_source_out, or {leave_out: [SOURCE, ...]}"


@dataclass(frozen=True)
class FoldPlan:
    """Folds that are asked for.

    Attributes:
        kind: ``split`` (the data set's own split), ``k`` or ``leave_out``.
        k: number of folds.
        sources: to be left out one by one; empty for all.
        validation: share of the pixels outside of a fold that chooses epoch and threshold; 0 for the fold itself.
        seed: of the division.
    """

    kind: str = "split"
    k: int = 0
    sources: tuple[str, ...] = ()
    validation: float = 0.2
    seed: int = 0

    def content(self) -> Any:
        """What a plan's file says of it."""
        if self.kind == "split":
            return "split"
        what = {"k": self.k} if self.kind == "k" else {"leave_out": list(self.sources) or "all"}
        return {**what, "validation": self.validation, "seed": self.seed}

    @classmethod
    def read(cls, where: str, text: str) -> FoldPlan:
        """Read what a command line says, in YAML; see :meth:`parse`.

        Raises:
            UserError: as there.
        """
        try:
            return cls.parse(where, yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise UserError(f"{where} {text}: {_GIVE}") from error

    @classmethod
    def parse(cls, where: str, given: Any) -> FoldPlan:
        """Read what a plan says.

        Args:
            where: for messages.
            given: ``split``, a number, ``leave_one_source_out``, or a mapping with ``k`` or ``leave_out`` and, where
                wanted, ``validation`` and ``seed``.

        Raises:
            UserError: anything else.
        """
        settings = dict(given) if isinstance(given, Mapping) else {}
        wrong = UserError(f"{where} {given}: {_GIVE}")
        if isinstance(given, Mapping):
            unknown = set(settings) - {"k", "leave_out", "validation", "seed"}
            if unknown or ("k" in settings) == ("leave_out" in settings):
                raise wrong
            given = settings.get("k", settings.get("leave_out"))
            if "leave_out" in settings and given != "all" and not isinstance(given, list):
                raise wrong
        validation, seed = settings.get("validation", cls.validation), settings.get("seed", cls.seed)
        if isinstance(validation, bool) or not isinstance(validation, (int, float)) or not 0 <= validation < 1:
            raise UserError(f"{where}: validation {validation}: give a share of the pixels, at least 0 and below 1")
        if type(seed) is not int:
            raise UserError(f"{where}: seed {seed}: give a whole number")
        if given == "split":
            return cls()
        if type(given) is int and given >= 2:
            return cls("k", given, (), float(validation), seed)
        if given in ("leave_one_source_out", "all"):
            return cls("leave_out", 0, (), float(validation), seed)
        if isinstance(given, list) and given and len(set(map(str, given))) == len(given):
            return cls("leave_out", 0, tuple(map(str, given)), float(validation), seed)
        raise wrong


#: options that say what the data set is: the same for all variants
DATA_OPTIONS = ("dataset_dir", "pore_label", "phases", "unlabelled", "group_pattern", "skip_bad", "info_bar")
#: options that belong to one run, which neither a plan nor a command line may set for all
_OWN = (
    "output_dir",
    "resume",
    "overwrite",
    "seed",
    "split_csv",
    "tracking_uri",
    "experiment_name",
    "run_name",
    "mlflow_run_id",
    "checkpoint",
)
#: options of both commands: the data set, and how an image is segmented
SHARED_OPTIONS = tuple(
    name
    for name, option in options_of("train").items()
    if options_of("evaluate").get(name) is option and name not in _OWN
)
#: options that say how long and on how much a network is trained
BUDGET_OPTIONS = (
    "max_epochs",
    "steps_per_epoch",
    "batch_size",
    "patch_size",
    "learning_rate",
    "early_stop_patience",
    "val_interval",
)


def check_not_own(where: str, overrides: Mapping[str, Any], others: Sequence[str] = ()) -> None:
    """Refuse options that each run has for itself, and `others`.

    Raises:
        UserError: naming the first.
    """
    own = [name for name in overrides if name in _OWN]
    if own:
        raise UserError(f"{where}{own[0]}: is set by the experiment; remove it")
    data = [name for name in overrides if name in others]
    if data:
        raise UserError(f"{where}{data[0]}: all variants use the same data; give it in `common` or as an option")


@dataclass(frozen=True)
class RunFold:
    """One fold as the runs see it.

    Attributes:
        name: of letters, digits and . _ -; empty for the data set's own split.
        split_csv: file of its split; None for the data set's own.
        evaluated: the split of the tested images.
    """

    name: str = ""
    split_csv: Path | None = None
    fingerprint: str = ""
    evaluated: str = "val"


@dataclass(frozen=True)
class Plan:
    """Variants of a training, and what they share.

    Attributes:
        variants: name to overrides of ``train.yaml``, in the order of the tables.
        baseline: the variant that the others are compared with.
        seeds: random seeds.
        folds: how the data set is divided.
        common: overrides of ``train.yaml`` for all variants; a variant's own come after them.
        evaluation: overrides of ``evaluate.yaml``.
    """

    variants: Mapping[str, Mapping[str, Any]]
    baseline: str
    seeds: tuple[int, ...] = (0,)
    folds: FoldPlan = field(default_factory=FoldPlan)
    common: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)

    def with_common(self, overrides: Mapping[str, Any]) -> Plan:
        """The plan with further overrides for all variants.

        Raises:
            UserError: an option that each run has for itself.
        """
        check_not_own("--", overrides)
        return replace(self, common={**self.common, **overrides})

    @property
    def asks_sentences(self) -> bool:
        """Whether any training or evaluation asks images with sentences of their own."""
        own = [{**self.common, **overrides} for overrides in self.variants.values()]
        return any(options.get("sentences") for options in (*own, self.evaluation))

    def content(self) -> dict[str, Any]:
        """The plan as its file has it."""
        parts = {"common": dict(self.common), "evaluation": dict(self.evaluation)}
        variants = {name: dict(overrides) for name, overrides in self.variants.items()}
        head = {"baseline": self.baseline, "seeds": list(self.seeds), "folds": self.folds.content()}
        return {**head, **parts, "variants": variants}

    def unequal(self) -> list[str]:
        """The options of budget and schedule in which variants differ, with their values."""
        found = []
        for name in BUDGET_OPTIONS:
            values = {variant: {**self.common, **own}.get(name, "default") for variant, own in self.variants.items()}
            if len({repr(value) for value in values.values()}) > 1:  # a wrong value may be of any type
                found.append(f"{name}: {', '.join(f'{variant} {value}' for variant, value in values.items())}")
        return found

    def runs(
        self,
        output_dir: Path,
        folds: Sequence[RunFold] = (RunFold(),),
        only: Sequence[str] = (),
        seeds: Sequence[int] = (),
    ) -> list[Run]:
        """All runs, in ``output_dir/VARIANT[/foldNAME]/seedK``: every variant and fold with the first seed first.

        Args:
            output_dir: folder of the experiment.
            folds: as :func:`pipeline.experiments.experiment.prepare_folds` has them.
            only: names of the variants to run; empty for all.
            seeds: in place of the plan's.

        Raises:
            UserError: a name that is no variant, or a common option that a variant computes from others.
        """
        unknown = [name for name in only if name not in self.variants]
        if unknown:
            raise UserError(f"unknown variant {', '.join(unknown)}; choose from {', '.join(self.variants)}")
        chosen = [variant for variant in self.variants if not only or variant in only]
        for variant in chosen:
            self._check_computed(variant)
        # seeds are the outermost loop, so that the first round shows every variant
        return [
            self._run(output_dir, variant, fold, seed)
            for seed in seeds or self.seeds
            for fold in folds
            for variant in chosen
        ]

    def _check_computed(self, variant: str) -> None:
        """Refuse a common option for which a variant has an expression: it is made for the option's default."""
        for name, value in self.variants[variant].items():
            if name in self.common and isinstance(value, str) and value.strip().startswith("$"):
                raise UserError(
                    f"{name}: variant {variant} computes its own and would not be comparable; remove {name}, or run "
                    f"without {variant} (--only)"
                )

    def _run(self, output_dir: Path, variant: str, fold: RunFold, seed: int) -> Run:
        training = {**self.common, **self.variants[variant], "seed": seed}
        evaluation = {name: training[name] for name in SHARED_OPTIONS if name in training}
        if fold.split_csv is not None:
            training["split_csv"] = evaluation["split_csv"] = str(fold.split_csv)
        # with folds, nothing but the tested images counts
        evaluation |= {"split": "val", **self.evaluation} | ({"split": fold.evaluated} if fold.name else {})
        folder = output_dir / variant / (f"fold{fold.name}" if fold.name else "") / f"seed{seed}"
        return Run(folder, variant, seed, fold.name, fold.fingerprint, training, evaluation)
