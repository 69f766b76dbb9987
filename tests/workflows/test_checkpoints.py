from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pipeline.data.fingerprints import hash_of
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


class Part:
    """The least that a checkpoint keeps."""

    def state_dict(self) -> dict[str, int]:
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        assert state == {}


class Engine:
    """The state of an Ignite engine, and the one event that checkpoints listen to."""

    def __init__(self, **state: object) -> None:
        self.state = SimpleNamespace(**state)

    def add_event_handler(self, event: object, handler: Callable[..., None], *arguments: object) -> None:
        self.end_epoch = lambda: handler(self, *arguments)


def engines(epoch: int) -> tuple[Engine, Engine]:
    metrics = {"val_dice": 0.8, "val_threshold": 0.625} if epoch else {}
    trainer = Engine(epoch=epoch, iteration=0, epoch_length=5)
    return trainer, Engine(best_metric=0.8, best_metric_epoch=epoch, metrics=metrics)


def test_a_resumed_training_knows_the_last_validation(tmp_path: Path) -> None:
    trainer, evaluator = engines(3)
    kept = TrainingCheckpoints(str(tmp_path), dict, {"network": Part()}, {"seed": 0}, {"loss::bce_weight": "1.0"})
    kept.attach(trainer, evaluator)
    trainer.end_epoch()
    trainer, evaluator = engines(0)
    kept.resume(trainer, evaluator, max_epochs=4)
    assert (trainer.state.epoch, trainer.state.iteration) == (3, 15)
    assert evaluator.state.metrics["val_threshold"] == 0.625


@pytest.mark.parametrize(
    ("recipe", "parts", "told"),
    [
        ({"seed": 1}, {"loss::bce_weight": "1.0"}, "(seed was 0, now 1)"),
        ({"seed": 0}, {"loss::bce_weight": "0"}, "(loss::bce_weight was 1.0, now 0)"),
        (
            {"seed": 0},
            {"loss::focal": "2"},
            "(loss::bce_weight was 1.0, now not given; loss::focal was not given, now 2)",
        ),
    ],
)
def test_other_settings_are_refused(tmp_path: Path, recipe: dict, parts: dict, told: str) -> None:
    trainer, evaluator = engines(1)
    kept = TrainingCheckpoints(str(tmp_path), dict, {}, {"seed": 0}, {"loss::bce_weight": "1.0"})
    kept.attach(trainer, evaluator)
    trainer.end_epoch()
    with pytest.raises(UserError, match=re.escape(told)):
        TrainingCheckpoints(str(tmp_path), dict, {}, recipe, parts).resume(*engines(0), max_epochs=4)


def of_image(name: str, split: str, **changed: object) -> dict[str, object]:
    return {"name": name, "split": split, "image_sha256": "1", "label_sha256": "2", "prompt": None, **changed}


DATA = [of_image("a", "train"), of_image("b", "val"), of_image("c", "test")]


def data(files: list[dict[str, object]]) -> dict[str, object]:
    content = {"pore_label": 1, "splits": {}, "files": files}
    return {"hash": hash_of(content), **content}


def checkpoints(folder: Path, files: list[dict[str, object]], sentences: bool = False) -> TrainingCheckpoints:
    now = data(files)
    return TrainingCheckpoints(str(folder), dict, {}, {"data": now["hash"], "sentences": sentences}, {}, now)


def trained(folder: Path, files: list[dict[str, object]], sentences: bool = False) -> TrainingCheckpoints:
    """The checkpoints of a training of one epoch."""
    trainer, evaluator = engines(1)
    kept = checkpoints(folder, files, sentences)
    kept.attach(trainer, evaluator)
    trainer.end_epoch()
    return kept


@pytest.mark.parametrize(
    ("number", "changed", "sentences", "told"),
    [
        (0, {"label_sha256": "3"}, False, "(other data: label of a)"),
        (1, {"image_sha256": "3", "label_sha256": "3"}, False, "(other data: image of b; label of b)"),
        (1, {"split": "test"}, False, "(other data: split of b)"),
        (0, {"prompt": "thin pores"}, True, "(other data: sentence of a)"),
        (0, {"prompt": "thin pores"}, False, ""),
        (2, {"label_sha256": "3"}, True, ""),
    ],
)
def test_what_of_the_data_changed_is_named_and_what_is_not_used_is_no_matter(
    tmp_path: Path, number: int, changed: dict[str, object], sentences: bool, told: str
) -> None:
    trained(tmp_path, DATA, sentences)
    files = [{**file, **(changed if index == number else {})} for index, file in enumerate(DATA)]
    now = checkpoints(tmp_path, files, sentences)
    with pytest.raises(UserError, match=re.escape(told)) if told else nullcontext():
        now.resume(*engines(0), max_epochs=4)


def test_a_training_of_0_2_0_goes_on_with_its_data(tmp_path: Path) -> None:
    """It kept a hash alone, in which there were sentences that nobody asked, too."""
    with_text = [{**file, "prompt": "thin pores"} for file in DATA]
    for files, name in ((DATA, "without text"), (with_text, "with text")):
        last = trained(tmp_path / name, files).last
        saved = torch.load(last, weights_only=True)
        del saved["training"]["data"]
        saved["training"]["recipe"]["data"] = hash_of(data(files), sentences=True)
        torch.save(saved, last)
        checkpoints(tmp_path / name, files).resume(*engines(0), max_epochs=4)
        with pytest.raises(UserError, match=r"\(data was \w{16}, now \w{16}\)"):
            checkpoints(tmp_path / name, files[1:]).resume(*engines(0), max_epochs=4)
    checkpoints(tmp_path / "without text", with_text).resume(*engines(0), max_epochs=4)


FOREIGN = {
    "empty": lambda path: path.write_bytes(b""),
    "damaged": lambda path: path.write_bytes(b"\x80\x02" + bytes(300)),
    "code in it": lambda path: torch.save({"training": Code()}, path),
    "cut off": lambda path: (torch.save({"training": {}}, path), path.write_bytes(path.read_bytes()[:-200])),
    "a byte changed": lambda path: (torch.save({"training": {"weights": torch.ones(999)}}, path), change_a_byte(path)),
    "a model only": lambda path: torch.save({"vlsenet_format": 1}, path),
    "another program's": lambda path: torch.save({"training": {"epoch": 3}}, path),
    "no mapping": lambda path: torch.save([1, 2], path),
}


def change_a_byte(path: Path) -> None:
    """In the numbers of its tensor, which PyTorch reads as another weight."""
    data = bytearray(path.read_bytes())
    data[data.index(np.ones(9, np.float32).tobytes()) + 20] ^= 255
    path.write_bytes(data)


class Code:
    """What `weights_only` refuses."""


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_last_pt_that_is_none_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    last = tmp_path / "last.pt"
    FOREIGN[kind](last)
    with pytest.raises(UserError) as caught:
        TrainingCheckpoints(str(tmp_path), dict, {}, {}).resume(*engines(0), max_epochs=4)
    message = str(caught.value)
    assert message.startswith(str(last))
    assert message.endswith("; --overwrite starts from scratch")
    assert "\n" not in message
    assert "weights_only" not in message
