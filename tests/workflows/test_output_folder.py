from __future__ import annotations

import pytest

from pipeline.errors import UserError
from pipeline.workflows.bundle_workflow import check_output_folder


@pytest.mark.parametrize(
    ("command", "mark"),
    [("train", "checkpoints/last.pt"), ("evaluate", "per_image.csv"), ("inference", "porosity.csv")],
)
def test_results_are_kept_unless_asked(tmp_path, command, mark):
    check_output_folder(command, str(tmp_path), resume=False, overwrite=False)
    if command == "evaluate":
        (tmp_path / mark).write_text("x")
        with pytest.raises(UserError, match="--overwrite replaces it"):
            check_output_folder(command, str(tmp_path), resume=False, overwrite=False)
        with pytest.raises(UserError, match="can't be resumed"):
            check_output_folder(command, str(tmp_path), resume=True, overwrite=False)
        # its advice would throw hours of work away: a scan resumes on its own
        with pytest.raises(UserError, match="same command again without --resume") as told:
            check_output_folder("scan", str(tmp_path), resume=True, overwrite=False)
        assert "--overwrite" not in str(told.value)
        return
    with pytest.raises(UserError, match="start without --resume"):
        check_output_folder(command, str(tmp_path), resume=True, overwrite=False)
    (tmp_path / mark).parent.mkdir(exist_ok=True)
    (tmp_path / mark).write_text("x")
    with pytest.raises(UserError, match="--overwrite replaces it"):
        check_output_folder(command, str(tmp_path), resume=False, overwrite=False)
    check_output_folder(command, str(tmp_path), resume=False, overwrite=True)
    check_output_folder(command, str(tmp_path), resume=True, overwrite=False)
    with pytest.raises(UserError, match="give only one of them"):
        check_output_folder(command, str(tmp_path), resume=True, overwrite=True)
