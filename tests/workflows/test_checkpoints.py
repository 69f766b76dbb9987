from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.workflows import TrainingCheckpoints


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    def checkpoints() -> TrainingCheckpoints:
        return TrainingCheckpoints(str(tmp_path / "run" / "checkpoints"), dict, {}, {})

    first, second = checkpoints(), checkpoints()
    first.lock()
    with pytest.raises(UserError, match=r"another training is writing into .*run: .*another --output_dir"):
        second.lock()
    first.unlock()
    second.lock()
    del second  # as a program that gave up its training
    checkpoints().lock()
