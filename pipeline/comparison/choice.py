"""Which runs of which MLflow stores are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import UserError
from pipeline.tracking.addresses import kept_address
from pipeline.tracking.stores import EVALUATED, PARENT, RERUNS, TRAINING, Store, StoredRun
from pipeline.wording import some_of

#: names in a message
_MOST = 6


@dataclass(frozen=True)
class Choice:
    """What is compared: runs, evaluated or not, and notes on what was left out."""

    title: str
    runs: list[StoredRun]
    notes: list[str]


def choose_runs(
    stores: Sequence[Store],
    experiment_name: str | None = None,
    run_ids: Sequence[str] = (),
    split: str | None = None,
) -> Choice:
    """Choose runs.

    Args:
        stores: to choose from.
        experiment_name: all runs of this experiment; with ``run_ids``, only those. None: the one with evaluated runs.
        run_ids: ids of runs; that of a parent stands for its children.
        split: only evaluations of this part of the data; None: the first evaluation of each training.

    Raises:
        UserError: no such experiment or run, or several experiments to choose from.
    """
    if run_ids:
        chosen, title = _by_id(stores, run_ids), experiment_name or "runs"
    else:
        experiments = _experiments(stores, experiment_name)
        chosen = [run for store, _, key in experiments for run in store.runs([key])]
        title = ", ".join(dict.fromkeys(name for store, name, key in experiments if store.runs([key])))
    if split is not None:
        if run_ids:  # further evaluations of these trainings
            chosen += [one for run in chosen for one in run.store.runs([run.experiment], {TRAINING: run.run_id})]
        return Choice(title, _of_split(chosen, split), [])
    if run_ids:
        return Choice(title, chosen, [])
    further = [run for run in chosen if TRAINING in run.tags]
    notes = []
    if further:
        names = some_of([f"{run.name} ({run.tags.get(EVALUATED, '?')})" for run in further], _MOST)
        notes = [f"Skipped, as further evaluations of the same trainings: {names}. --split or --runs selects them."]
    return Choice(title, [run for run in chosen if run not in further], notes)


def _by_id(stores: Sequence[Store], run_ids: Sequence[str]) -> list[StoredRun]:
    found: dict[str, StoredRun] = {}
    for run_id in run_ids:
        run = next((run for store in stores if (run := store.find(run_id)) is not None), None)
        if run is None:
            raise UserError(f"--runs {run_id}: no such run in the store; give ids as MLflow shows them")
        children = run.store.runs([run.experiment], {PARENT: run.run_id})
        found |= {one.run_id: one for one in (run, *children)}
    return list(found.values())


#: a store, and name and id of an experiment in it
_Experiment = tuple[Store, str, str]


def _experiments(stores: Sequence[Store], asked: str | None) -> list[_Experiment]:
    """The experiment of each store; of a store without evaluated runs all, so that what is left out is named."""
    there = [(store, name, key) for store in stores for name, key in store.experiments().items()]
    if asked is not None:
        having = [one for one in there if one[1] == asked]
        if not having:
            every = ", ".join(sorted({name for _, name, _ in there})) or "none"
            raise UserError(f"--experiment {asked}: no such experiment in the store; choose from {every}")
        return having
    chosen: list[_Experiment] = []
    several: list[str] = []
    without: list[_Experiment] = []
    for store in stores:
        own = {one: runs for one in there if one[0] is store and (runs := store.runs([one[2]], {EVALUATED: None}))}
        # repeats of runs are no runs to compare, unless there is nothing else
        own = {one: runs for one, runs in own.items() if not one[1].endswith(RERUNS)} or own
        if len(own) > 1:
            several += sorted(f"{name} ({_some(runs)})" for (_, name, _), runs in own.items())
        chosen += own
        if not own:
            without += [one for one in there if one[0] is store]
    if several:
        raise UserError(
            f"several experiments have evaluated runs ({'; '.join(several)}); give --experiment NAME or --runs ID,ID"
        )
    if not chosen:
        runs = [run for store, _, key in there for run in store.runs([key])]
        what = f"{len(runs)} runs ({_some(runs)}), none of them evaluated" if runs else "no runs"
        addresses = ", ".join(kept_address(store.tracking_uri) for store in stores)
        raise UserError(
            f"{addresses}: {what}; evaluate each training first, as in vlsenet evaluate DATASET_DIR "
            "--checkpoint runs/first/checkpoints/best.pt, which stores the scores in its MLflow run"
        )
    return chosen + without


def _of_split(chosen: Sequence[StoredRun], split: str) -> list[StoredRun]:
    own = [run for run in chosen if run.tags.get(EVALUATED) == split]
    if not own:
        there = sorted({run.tags[EVALUATED] for run in chosen if EVALUATED in run.tags})
        raise UserError(f"--split {split}: no run was evaluated on it; evaluated splits: {', '.join(there) or 'none'}")
    return own


def _some(runs: Sequence[StoredRun]) -> str:
    return some_of([run.name for run in runs], _MOST)
