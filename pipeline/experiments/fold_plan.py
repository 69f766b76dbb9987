"""How an experiment divides its data set: the entry ``folds`` of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from pipeline.errors import UserError

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
