"""Which runs of which MLflow stores are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.errors import UserError
from pipeline.tracking.tags import EVALUATED, PARENT, RERUNS, TRAINING
from pipeline.wording import some_of

#: names in a message
_MOST = 6


@dataclass(frozen=True, eq=False)
class ChosenRun:
    """A run and the client of its store."""

    client: mlflow.MlflowClient
    run: Run


@dataclass(frozen=True)
class Choice:
    """What is compared.

    Attributes:
        title: of the comparison.
        runs: evaluated or not.
        notes: on what was left out.
    """

    title: str
    runs: list[ChosenRun]
    notes: list[str]


def choose_runs(
    stores: Mapping[str, mlflow.MlflowClient],
    experiment_name: str | None = None,
    run_ids: Sequence[str] = (),
    split: str | None = None,
) -> Choice:
    """Choose runs.

    Args:
        stores: address and client of each store.
        experiment_name: all runs of this experiment; with ``run_ids``, only those. None: the one with evaluated runs.
        run_ids: ids of runs; that of a parent stands for its children.
        split: only evaluations of this part of the data; None: the first evaluation of each training.

    Raises:
        UserError: no such experiment or run, or several experiments to choose from.
    """
    if run_ids:
        chosen, title = _by_id(stores, run_ids), experiment_name or "runs"
    else:
        names = _experiments(stores, experiment_name)
        chosen = [ChosenRun(stores[uri], run) for uri, (_, key) in names.items() for run in _search(stores[uri], [key])]
        title = ", ".join(dict.fromkeys(name for name, _ in names.values()))
    if split is not None:
        return Choice(title, _of_split(chosen, split), [])
    if run_ids:
        return Choice(title, chosen, [])
    further = [one for one in chosen if TRAINING in one.run.data.tags]
    notes = []
    if further:
        told = some_of([f"{name_of(one.run)} ({one.run.data.tags.get(EVALUATED, '?')})" for one in further], _MOST)
        notes = [f"Skipped, as further evaluations of the same trainings: {told}. --split or --runs selects them."]
    return Choice(title, [one for one in chosen if one not in further], notes)


def name_of(run: Run) -> str:
    """What a run is called in messages."""
    return str(run.info.run_name or run.info.run_id)


def _by_id(stores: Mapping[str, mlflow.MlflowClient], run_ids: Sequence[str]) -> list[ChosenRun]:
    found: dict[str, ChosenRun] = {}
    for run_id in run_ids:
        for client in stores.values():
            try:
                run = client.get_run(run_id)
            except MlflowException:
                continue
            children = _search(client, [run.info.experiment_id], run.info.run_id)
            found |= {one.info.run_id: ChosenRun(client, one) for one in (run, *children)}
            break
        else:
            raise UserError(f"--runs {run_id}: no such run in the store; give ids as MLflow shows them")
    return list(found.values())


def _experiments(stores: Mapping[str, mlflow.MlflowClient], asked: str | None) -> dict[str, tuple[str, str]]:
    """Name and id of the experiment of each store; a store that has none of use is left out."""
    there = {
        uri: {one.name: str(one.experiment_id) for one in client.search_experiments()} for uri, client in stores.items()
    }
    if asked is not None:
        having = {uri: (asked, names[asked]) for uri, names in there.items() if asked in names}
        if not having:
            every = ", ".join(sorted({name for names in there.values() for name in names})) or "none"
            raise UserError(f"--experiment {asked}: no such experiment in the store; choose from {every}")
        return having
    evaluated = {
        uri: {name: runs for name, key in names.items() if (runs := _search(stores[uri], [key], evaluated=True))}
        for uri, names in there.items()
    }
    for names in evaluated.values():  # repeats of runs are no runs to compare, unless they are asked for
        if any(not name.endswith(RERUNS) for name in names):
            for name in [name for name in names if name.endswith(RERUNS)]:
                del names[name]
    several = [names for names in evaluated.values() if len(names) > 1]
    if several:
        told = "; ".join(f"{name} ({_some(runs)})" for names in several for name, runs in sorted(names.items()))
        raise UserError(f"several experiments have evaluated runs ({told}); give --experiment NAME or --runs ID,ID")
    chosen = {uri: (name, there[uri][name]) for uri, names in evaluated.items() for name in names}
    if not chosen:
        runs = [run for uri, names in there.items() for key in names.values() for run in _search(stores[uri], [key])]
        what = f"{len(runs)} runs ({_some(runs)}), none of them evaluated" if runs else "no runs"
        raise UserError(
            f"{', '.join(stores)}: {what}; evaluate each training first, as in vlsenet evaluate DATASET_DIR "
            "--checkpoint runs/first/checkpoints/best.pt, which stores the scores in its MLflow run"
        )
    return chosen


def _of_split(chosen: Sequence[ChosenRun], split: str) -> list[ChosenRun]:
    own = [one for one in chosen if one.run.data.tags.get(EVALUATED) == split]
    if not own:
        there = sorted({one.run.data.tags[EVALUATED] for one in chosen if EVALUATED in one.run.data.tags})
        raise UserError(f"--split {split}: no run was evaluated on it; evaluated splits: {', '.join(there) or 'none'}")
    return own


def _search(
    client: mlflow.MlflowClient, experiments: list[str], parent: str | None = None, evaluated: bool = False
) -> list[Run]:
    query = f"tags.`{PARENT}` = '{parent}'" if parent else f"tags.{EVALUATED} LIKE '%'" if evaluated else ""
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs(experiments, query, max_results=1000, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def _some(runs: Sequence[Run]) -> str:
    return some_of([name_of(run) for run in runs], _MOST)
