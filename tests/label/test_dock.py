"""The loop in the dock, by what a person does in it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import zarr

from pipeline.bundle_files import default_model
from pipeline.images import read_label
from pipeline.workflows.label_loop.background_training import BackgroundTraining
from pipeline.workflows.scan.results import JOURNAL
from tests.label.painted_rock import PORE, made, paint
from tests.label.window_needed import skip_without_window

skip_without_window()

from pipeline.label.dock import LabelDock  # noqa: E402
from pipeline.label.handed_over import results_folder  # noqa: E402
from pipeline.label.training_watch import progress_of  # noqa: E402
from pipeline.label.window_layers import MASK, PREVIEW, STROKES, UNCERTAINTY  # noqa: E402


def test_what_is_painted_is_saved_within_moments(dock: LabelDock, rock: Path, qtbot: Any) -> None:
    assert [dock.phases.item(row).text() for row in range(2)] == ["pore", "rest (none of the phases)"]
    assert dock.viewer.layers[STROKES].selected_label == PORE
    assert not dock.viewer.layers[STROKES].data.any()  # unlabelled
    paint(dock)
    qtbot.waitUntil(lambda: (rock / "labels" / "a.png").exists(), timeout=5000)
    label = read_label(rock / "labels" / "a.png")
    marked = label == 1
    assert marked.any()
    assert made()[1][marked].mean() > 0.9
    dock.show_image("b")
    assert not dock.viewer.layers[STROKES].data.any()
    dock.show_image("a")
    assert (dock.viewer.layers[STROKES].data == PORE).sum() == marked.sum()


def test_a_phase_is_added_by_name(dock: LabelDock, rock: Path) -> None:
    dock.new_phase.setText("silt grain")
    dock.new_phase.returnPressed.emit()
    assert dock.viewer.layers[STROKES].selected_label == 3
    assert "silt grain" in (rock / "phases.csv").read_text()
    dock.new_phase.setText("Silt grain")
    dock.add_button.click()
    assert "is there already" in dock.told.text()


def test_the_preview_finds_the_pores(dock: LabelDock, qtbot: Any) -> None:
    dock.preview_button.click()
    qtbot.waitUntil(lambda: "nothing was painted" in dock.told.text(), timeout=60_000)
    paint(dock)
    dock.preview_button.click()
    qtbot.waitUntil(lambda: PREVIEW in dock.viewer.layers, timeout=60_000)
    layer = dock.viewer.layers[PREVIEW]
    top, left = (round(place) for place in layer.translate)
    found = np.asarray(layer.data) == PORE
    truth = made()[1][top : top + found.shape[0], left : left + found.shape[1]]
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.85
    assert dock.viewer.layers.selection.active.name == STROKES


def test_the_preview_follows_strokes_that_are_made_while_it_is_at_work(dock: LabelDock, qtbot: Any) -> None:
    paint(dock)
    dock.live.click()
    qtbot.waitUntil(lambda: PREVIEW in dock.viewer.layers, timeout=60_000)
    asked: list[int] = []
    preview = dock._model.preview  # type: ignore[union-attr]

    def slow(*given: Any) -> Any:
        asked.append(len(asked))
        time.sleep(2.5)  # two savings
        return preview(*given)

    dock._model.preview = slow  # type: ignore[method-assign, union-attr]
    dock.viewer.layers[STROKES].paint((20, 20), PORE)
    qtbot.waitUntil(lambda: len(asked) == 1, timeout=10_000)
    dock.viewer.layers[STROKES].paint((200, 200), PORE)
    qtbot.waitUntil(lambda: len(asked) == 2, timeout=20_000)
    qtbot.waitUntil(lambda: not dock._jobs.is_busy, timeout=20_000)
    qtbot.wait(1500)
    assert len(asked) == 2  # nothing new was painted


def test_the_model_is_shown_before_anything_is_painted(dock: LabelDock, qtbot: Any) -> None:
    assert "Show its mask" in dock.told.text()
    dock.model_button.click()
    qtbot.waitUntil(lambda: MASK in dock.viewer.layers, timeout=60_000)
    assert UNCERTAINTY in dock.viewer.layers
    assert "uncertainty" in dock.told.text()
    paint(dock)
    dock.preview_button.click()
    qtbot.waitUntil(lambda: PREVIEW in dock.viewer.layers, timeout=60_000)
    assert MASK not in dock.viewer.layers  # one lies over the image at a time


def test_next_goes_to_where_the_model_is_unsure(dock: LabelDock, rock: Path, qtbot: Any) -> None:
    tifffile.imwrite(rock / "images" / "c.tif", 255 - made()[0])  # which came later
    dock.next_button.click()
    qtbot.waitUntil(lambda: MASK in dock.viewer.layers, timeout=60_000)  # of the region
    first = dock.told.text()
    assert "uncertainty" in first
    assert all(region.image.name != "c.tif" for region in dock._suggestions)
    dock.next_button.click()  # the next one is known already
    assert dock.told.text() != first


def test_no_image_that_can_be_asked_about_is_told(dock: LabelDock, rock: Path, qtbot: Any) -> None:
    for name in "ab":
        (rock / "images" / f"{name}.tif").write_bytes(b"no image any more")
    dock.next_button.click()
    qtbot.waitUntil(lambda: "<b>" in dock.told.text(), timeout=60_000)
    assert "a.tif" in dock.told.text()
    assert "b.tif" in dock.told.text()


def trained(dock: LabelDock, qtbot: Any, weights: Callable[[torch.Tensor], torch.Tensor]) -> BackgroundTraining:
    """A training that was stopped at once, with the default model's weights, changed, as its best so far."""
    dock.train_button.click()
    training = dock.watch.training
    assert training is not None
    dock.stop_button.click()
    assert "stopping" in dock.training_state.text()
    content = torch.load(default_model(), map_location="cpu", weights_only=True)
    content["network"] = {name: weights(value) for name, value in content["network"].items()}
    (training.folder / "checkpoints").mkdir(parents=True)
    torch.save(content, training.folder / "checkpoints" / "best.pt")
    qtbot.waitUntil(lambda: "as before" in dock.told.text() or "than before" in dock.told.text(), timeout=60_000)
    return training


def test_a_second_round_begins_with_the_model_taken_over_and_a_worse_one_stays_out(
    dock: LabelDock, rock: Path, qtbot: Any
) -> None:
    paint(dock)
    first = trained(dock, qtbot, torch.clone)
    assert first.start == default_model()
    assert f"The new model is taken over: {rock / 'best.pt'}" in dock.told.text()
    qtbot.waitUntil(lambda: UNCERTAINTY in dock.viewer.layers, timeout=60_000)
    kept = (rock / "best.pt").read_bytes()
    paint(dock, 40)
    second = trained(dock, qtbot, torch.zeros_like)
    assert second.start == rock / "best.pt"
    assert second.folder != first.folder
    assert "worse than before" in dock.told.text()
    assert str(second.folder) in dock.told.text()
    assert (rock / "best.pt").read_bytes() == kept


@pytest.mark.slow
def test_segment_hands_over_with_a_report(dock: LabelDock, rock: Path, qtbot: Any) -> None:
    """It takes a process that loads PyTorch."""
    dock.segment_button.click()
    qtbot.waitUntil(lambda: "report.html" in dock.told.text(), timeout=200_000)
    folder = rock / "segmented" / "a"
    assert (folder / "report.html").resolve().as_uri() in dock.told.text()
    found = np.asarray(zarr.open_group(str(folder / "segmentation.ome.zarr"), mode="r")["0"])[0, 0, 0] > 0
    truth = made()[1]
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.8


def test_results_of_another_model_stay(rock: Path) -> None:
    image = rock / "images" / "a.tif"
    first = results_folder(rock, image, "a", "one")
    assert first == rock / "segmented" / "a"
    for folder, model in ((first, "one"), (rock / "segmented" / "a_2", "two")):
        request = {"checkpoint_sha256": model, "scan": {"name": "a.tif"}}
        (folder / JOURNAL).mkdir(parents=True)
        (folder / JOURNAL / "request.json").write_text(json.dumps({"request": request, "key": ""}))
    assert results_folder(rock, image, "a", "one") == first
    assert results_folder(rock, image, "a", "two").name == "a_2"
    assert results_folder(rock, image, "a", "three").name == "a_3"
    assert results_folder(rock, rock / "images" / "a_2.tif", "a_2", "two").name == "a_2_2"


def test_the_progress_of_a_training() -> None:
    bar = "training:  12%|#2        | 3/25 [00:06<00:44,  2.0s/step, loss=0.412]"
    assert progress_of(["training on strokes"]) == (None, "starting ...")
    assert progress_of(["training on strokes", bar]) == (12, "loss 0.412, 00:44 left")
    assert progress_of([bar, "epoch 1/20  train_loss 0.4", "other"])[1].endswith("left\nepoch 1/20  train_loss 0.4")


@pytest.mark.slow
def test_what_segment_refuses_is_told(dock: LabelDock, rock: Path, qtbot: Any) -> None:
    (rock / "images" / "a.tif").write_bytes(b"no image any more")
    dock.segment_button.click()
    qtbot.waitUntil(lambda: "a.tif" in dock.told.text(), timeout=200_000)
    assert "<b>" in dock.told.text()


def test_too_little_to_train_on_is_told(dock: LabelDock) -> None:
    dock.train_button.click()
    assert "no phase was painted" in dock.told.text()
    dock.viewer.layers[STROKES].paint((20, 20), PORE)
    dock.train_button.click()
    assert "only pore was painted" in dock.told.text()
