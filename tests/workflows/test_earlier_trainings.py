"""Trainings that an earlier version began go on as it began them; where they can't, one line says what can be done."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.errors import UserError
from pipeline.synthetic import write_dataset
from pipeline.workflows import TrainingCheckpoints, begun_before
from pipeline.workflows.checkpoints import read_training
from tests.workflows.commands import bundle
from tests.workflows.test_checkpoints import engines

QUICK = {
    "dataset_dir": "rock",
    "features": [8, 8, 16, 16, 32],
    "steps_per_epoch": 2,
    "batch_size": 2,
    "patch_size": 64,
    "network": "unet",
}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with sparse labels, and a model to start from."""
    folder = tmp_path_factory.mktemp("work")
    write_dataset(folder / "rock", 3, shape=(96, 96), seed=3, val=1, test=0)
    for file in (folder / "rock" / "labels").iterdir():
        label = np.asarray(Image.open(file)).copy()
        label[40:] = 128
        Image.fromarray(label).save(file)
    bundle(folder, "train", output_dir="first", max_epochs=1, unlabelled=128, **QUICK)
    return folder


def as_earlier_versions_wrote_it(last: Path, *lacking: str) -> None:
    """Leave settings out of what a checkpoint says of its training."""
    saved = torch.load(last, weights_only=True)
    for name in lacking:
        del saved["training"]["recipe"][name]
    torch.save(saved, last)


@pytest.mark.parametrize(
    ("part", "off", "given"),
    [
        ("earlier", None, {"start_from": "first/checkpoints/best.pt"}),
        ("train::handlers::1::_disabled_", True, {}),
    ],
    ids=["answers of the model before", "warm-up of the average"],
)
def test_they_go_on_without_what_they_lacked(work: Path, part: str, off: object, given: dict[str, str]) -> None:
    options = {**QUICK, "unlabelled": 128, **given}
    begun, whole = work / f"begun_{off}", work / f"whole_{off}"
    bundle(work, "train", output_dir=begun.name, max_epochs=1, **{part: off}, **options)
    as_earlier_versions_wrote_it(begun / "checkpoints" / "last.pt", "earlier")
    bundle(work, "train", output_dir=begun.name, max_epochs=2, resume=True, **options)
    bundle(work, "train", output_dir=whole.name, max_epochs=2, **{part: off}, **options)
    found, expected = (read_training(one / "checkpoints" / "last.pt", "")["state"] for one in (begun, whole))
    for weights in ("network", "averaged"):
        for name, value in expected[weights].items():
            torch.testing.assert_close(found[weights][name], value, rtol=0, atol=0, msg=f"{weights} {name}")


def test_those_of_this_version_know_the_setting(work: Path) -> None:
    assert not begun_before("earlier", str(work / "first"))
    assert not begun_before("earlier", None)
    assert begun_before("a setting to come", str(work / "first"))


@pytest.mark.parametrize("version", ["0.1.0", None])
def test_one_with_other_parts_is_refused_in_a_line_that_can_be_read(tmp_path: Path, version: str | None) -> None:
    parts = {f"train::augmentation::{number}": "0" for number in range(30)}
    content = {"versions": {"vlsenet": version}} if version else {}
    trainer, evaluator = engines(1)
    kept = TrainingCheckpoints(str(tmp_path), lambda: content, {}, {"seed": 0}, parts)
    kept.attach(trainer, evaluator)
    trainer.end_epoch()
    with pytest.raises(UserError) as caught:
        TrainingCheckpoints(str(tmp_path), dict, {}, {"seed": 1}, {}).resume(*engines(0), max_epochs=4)
    told = str(caught.value)
    assert "seed was 0, now 1; " in told
    assert re.search(r"now not given; 25 more\)", told)
    assert len(told) < 900
    assert ("begun by vlsenet 0.1.0" in told) == (version is not None)
    assert ("--start_from" in told) == (version is not None)
