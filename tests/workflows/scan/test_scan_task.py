"""A scan as a task that may be repeated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PIL import Image

from pipeline.synthetic import generate
from pipeline.workflows.scan.scan_task import ModelPlace, ScanTask, run_scan_task
from tests.workflows.export.cases import trained_model
from tests.workflows.scan.files import settings_of


def test_a_task_is_repeated_without_doing_its_work_again_also_where_earlier_results_are_overwritten(
    tmp_path: Path,
) -> None:
    """A worker may die between the end of a scan and the news of it."""
    scan, folder = tmp_path / "scan.png", tmp_path / "out"
    Image.fromarray(generate((200, 180), seed=0).image).save(scan)
    settings = settings_of(chunk_size=256, precision="float32", report=False)
    about = ModelPlace.of(trained_model(tmp_path), ["pore"], None)
    first = ScanTask(str(scan), str(folder), about, settings, overwrite=False, mark="first")
    assert run_scan_task(first)
    assert not run_scan_task(first)
    again = replace(first, overwrite=True, mark="again")
    assert run_scan_task(again)
    assert not run_scan_task(again)
