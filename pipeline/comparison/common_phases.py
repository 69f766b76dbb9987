"""The phases that runs were scored on: their tables phase by phase, and which phases all runs have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.comparison.evaluated_runs import EvaluatedRun, mean_of_phases
from pipeline.errors import UserError
from pipeline.wording import some_of


def on_common_phases(runs: Sequence[EvaluatedRun]) -> tuple[list[EvaluatedRun], list[str]]:
    """The runs with the scores of those phases that all have, and a note where there are several, or others.

    Raises:
        UserError: they have no phase in common.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for run in runs:
        groups.setdefault(tuple(sorted(run.by_phase)), []).append(run.name)
    common = [name for name in runs[0].by_phase if all(name in phases for phases in groups)]
    differing = "; ".join(f"{', '.join(phases)} in {some_of(names)}" for phases, names in groups.items())
    if not common:
        raise UserError(
            f"the runs were scored on different phases ({differing}), and none is common to all: choose runs with "
            "--runs"
        )
    notes = []
    if len(groups) > 1:
        notes.append(f"The runs were scored on different phases ({differing}): compared on {', '.join(common)} only.")
        runs = [_of_phases(run, common) for run in runs]
    if len(common) > 1:
        notes.append(
            f"Scores are means over the phases ({', '.join(common)}) that an image has labels for; porosity stands for "
            "the share of the area of each."
        )
    return list(runs), notes


def of_phase(run: EvaluatedRun, name: str) -> EvaluatedRun:
    """A run as if it had been scored on one of its phases only."""
    return _of_phases(run, [name])


def _of_phases(run: EvaluatedRun, names: Sequence[str]) -> EvaluatedRun:
    phases = {name: run.by_phase[name] for name in names}
    pores = run.pores[run.pores["phase"].isin(names)] if "phase" in run.pores else run.pores
    return replace(run, phases=phases, images=mean_of_phases([one.images for one in phases.values()]), pores=pores)
