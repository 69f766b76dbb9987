"""A segmented scan as an MLflow run: settings, numbers, report and figures."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pipeline.files import write_text
from pipeline.measure.pores_2d import CSV
from pipeline.tracking.outbox import Outbox
from pipeline.tracking.stores import kept_address
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.workflows.scan.results import FIGURES, MANIFEST, OVERVIEW, POROSITY, REPORT, TRACKED


def track_scan(folder: Path, name: str, tracking_uri: str, experiment_name: str) -> None:
    """Log the results of a finished segmentation, once for each store and experiment; the mask stays where it is.

    What the store does not accept is kept in the folder, and sent when this is called again.

    Args:
        folder: of the results; ``mlflow_runs.json`` in it notes which stores have them.
        name: of the run.
        tracking_uri: MLflow store.
        experiment_name: MLflow experiment.
    """
    file = folder / TRACKED
    runs = json.loads(file.read_text()) if file.exists() else []
    place = {"tracking_uri": kept_address(tracking_uri), "experiment": experiment_name}
    if any(_in_earlier_form(place) == _in_earlier_form(run) for run in runs):
        Outbox(folder, tracking_uri, "").flush()
        return
    manifest = json.loads((folder / MANIFEST).read_text())
    porosity = json.loads((folder / POROSITY).read_text())
    parameters = {**manifest["request"], "checkpoint": manifest["checkpoint"], "device": manifest["device"]}
    run = TrackedRun(tracking_uri, experiment_name, name, str(folder), parameters, {"vlsenet": "scan"})
    run.start({MANIFEST: manifest}, after_work=True)
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
    write_text(file, json.dumps([*runs, {**place, "run_id": run.run_id}], indent=2))


def _in_earlier_form(run: dict[str, str]) -> tuple[str, str]:
    """Store and experiment of a note; those of earlier versions lack the user's name too."""
    return re.sub(r"://[^/@]*@", "://", run["tracking_uri"]), run["experiment"]
