"""An experiment in MLflow: one parent run, and a child for each training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.experiments.record import Run, locked
from pipeline.files import write_text
from pipeline.tracking.addresses import default_tracking_uri, kept_address
from pipeline.tracking.outbox import Outbox
from pipeline.tracking.tracked_run import TrackedRun

FILE = "experiment.json"


@dataclass(frozen=True)
class MlflowExperiment:
    """Where the runs of an experiment are kept. What a store does not accept waits in the folder of the run.

    Attributes:
        output_dir: folder of the experiment.
        tracking_uri: MLflow store, without a password.
        experiment_name: MLflow experiment.
        parent_run_id: the parent run; a key (`pipeline.tracking.stores.new_key`) until the store has it.
    """

    output_dir: Path
    tracking_uri: str
    experiment_name: str
    parent_run_id: str

    def finish(self, status: str) -> None:
        """Say how the experiment ended: ``FINISHED``, ``FAILED`` (a run failed) or ``KILLED`` (interrupted)."""
        Outbox(self.output_dir, self.tracking_uri, self.parent_run_id).send_end(status)

    def start_child(self, run: Run, tags: Mapping[str, str]) -> str:
        """The id of a training's run in MLflow, which is made, with these tags, where there is none yet.

        It is made before the training, so that a failure on the first line of a config is recorded too, and a second
        try continues in the same run.
        """
        # as parameters too: MLflow's page that compares runs draws its axes from parameters and metrics
        settings = {"variant": run.variant, "seed": str(run.seed)}
        settings |= {"fold": run.fold} if run.fold else {}
        tracked = TrackedRun(
            self.tracking_uri,
            self.experiment_name,
            run.name,
            str(run.folder),
            settings,
            {**tags, **settings, "data_fingerprint": run.data_fingerprint},
            parent=self.parent_run_id,
        )
        tracked.load_state_dict({"run_id": run.mlflow_run_id})
        tracked.start({})
        return str(tracked.run_id)

    def log_costs(self, run: Run) -> None:
        """What the training took, as metrics beside its scores."""
        self._child(run).send_metrics(run.costs(), 0)

    def end_child(self, run: Run) -> None:
        """Say of a run how it ended, and of a failed one why, which is made where it failed too early to be there."""
        status = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}.get(run.state)
        if status is None or (run.mlflow_run_id is None and status != "FAILED"):
            return
        if run.mlflow_run_id is None:
            run.mlflow_run_id = self.start_child(run, {})
        if run.error:
            self._child(run).send_error(run.error)
        self._child(run).send_end(status)

    def _child(self, run: Run) -> Outbox:
        return Outbox(run.folder, self.tracking_uri, str(run.mlflow_run_id))


def open_mlflow(
    output_dir: Path, tracking_uri: str | None, experiment_name: str | None, baseline: str, files: Sequence[Path]
) -> MlflowExperiment:
    """The parent run of an experiment: that of an earlier call, or a new one; ``experiment.json`` keeps it.

    Args:
        output_dir: folder of the experiment; its name is the parent run's.
        tracking_uri: MLflow store; None for that of the earlier call, or ``mlflow.db`` in the folder.
        experiment_name: None for that of the earlier call, or the folder's name.
        baseline: for the parent's tags.
        files: logged to the parent.

    Raises:
        UserError: a store that can't be right, or another one than before.
    """
    with locked(output_dir / ".mlflow.lock", wait=True):
        before = read_mlflow(output_dir)
        if before is not None:
            for option, given, earlier in (
                ("tracking_uri", tracking_uri and kept_address(tracking_uri), kept_address(before.tracking_uri)),
                ("experiment_name", experiment_name, before.experiment_name),
            ):
                if given is not None and given != earlier:
                    raise UserError(
                        f"--{option} {given}: {output_dir} was started with {earlier}; remove the option, or "
                        "choose another --output_dir"
                    )
        uri = tracking_uri or (before.tracking_uri if before else default_tracking_uri(output_dir))
        name = before.experiment_name if before else experiment_name or output_dir.absolute().name
        run = TrackedRun(uri, name, None, str(output_dir), {}, {"kind": "experiment", "baseline": baseline})
        run.load_state_dict({"run_id": before.parent_run_id if before else None})
        run.start({})
        run.log_files(files, "")
        content = {"tracking_uri": kept_address(uri), "experiment_name": name, "parent_run_id": str(run.run_id)}
        write_text(output_dir / FILE, json.dumps(content, indent=2))
    return MlflowExperiment(output_dir, **content)


def read_mlflow(output_dir: Path) -> MlflowExperiment | None:
    """Where an experiment's runs are kept; None where none was begun.

    Raises:
        UserError: a damaged file.
    """
    path = output_dir / FILE
    if not path.exists():
        return None
    try:
        return MlflowExperiment(output_dir, **json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} can't be read ({error}); choose another --output_dir") from error
