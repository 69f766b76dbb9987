"""A segmented scan as an MLflow run: settings, numbers, report and figures."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.pores import CSV
from pipeline.workflows.scan_results import FIGURES, MANIFEST, OVERVIEW, POROSITY, REPORT
from pipeline.workflows.tracking import TrackedRun


def track_scan(folder: Path, name: str, tracking_uri: str, experiment_name: str) -> str:
    """Log the results of a finished segmentation; its mask stays where it is.

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
    return run.run_id
