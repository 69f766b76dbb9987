"""A segmented scan as an MLflow run: settings, numbers, report and figures."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pipeline.files import atomic_path
from pipeline.measure.pores_2d import CSV
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.workflows.scan.results import FIGURES, MANIFEST, OVERVIEW, POROSITY, REPORT, TRACKED


def track_scan(folder: Path, name: str, tracking_uri: str, experiment_name: str) -> str:
    """Log the results of a finished segmentation, and note in their folder where; its mask stays where it is.

    Args:
        folder: of the results.
        name: of the run.
        tracking_uri: MLflow store.
        experiment_name: MLflow experiment.

    Returns:
        The run's id.

    Raises:
        UserError: the store can't be reached. The results stay as they are.
    """
    manifest = json.loads((folder / MANIFEST).read_text())
    porosity = json.loads((folder / POROSITY).read_text())
    parameters = {**manifest["request"], "checkpoint": manifest["checkpoint"], "device": manifest["device"]}
    run = TrackedRun(tracking_uri, experiment_name, name, str(folder), parameters, {"vlsenet": "scan"})
    run.start({MANIFEST: manifest})
    low, high = porosity["interval_95"] or (None, None)
    numbers = {
        "porosity": porosity["porosity"],
        "porosity_low": low,
        "porosity_high": high,
        "pixel_size_nm": manifest["pixel_size_nm"],
        "pores": (manifest["pores"] or {}).get("pores"),
        "skipped_share": manifest["skipped_share"],
        "seam_largest": manifest["seam_certificate"].get("largest"),
        "seconds": manifest["seconds_of_this_run"]["all"],
    }
    run.log_metrics({key: value for key, value in numbers.items() if value is not None})
    run.log_files([folder / name for name in (REPORT, OVERVIEW, POROSITY, CSV)], "results")
    run.log_files(sorted((folder / FIGURES).glob("*.png")), FIGURES)
    run.finish("FINISHED")
    assert run.run_id is not None
    runs = [*_runs(folder), {**_place(tracking_uri, experiment_name), "run_id": run.run_id}]
    with atomic_path(folder / TRACKED) as partial:
        partial.write_text(json.dumps(runs, indent=2))
    return run.run_id


def is_tracked(folder: Path, tracking_uri: str, experiment_name: str) -> bool:
    """Whether a store has the results of a folder."""
    place = _place(tracking_uri, experiment_name)
    return any(place.items() <= run.items() for run in _runs(folder))


def _runs(folder: Path) -> list[dict[str, str]]:
    file = folder / TRACKED
    return json.loads(file.read_text()) if file.exists() else []


def _place(tracking_uri: str, experiment_name: str) -> dict[str, str]:
    """A store and an experiment as they are noted: with the whole path of a file, and without a password."""
    if tracking_uri.startswith("sqlite:///"):
        tracking_uri = f"sqlite:///{Path(tracking_uri.removeprefix('sqlite:///')).absolute().as_posix()}"
    return {"tracking_uri": re.sub(r"://[^/@]*@", "://", tracking_uri), "experiment": experiment_name}
