"""What a training in the background learns from, and by what its model is judged."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter
from scipy.ndimage import label as connected
from skimage.draw import line

from pipeline.annotations.session import LabelSession
from pipeline.annotations.stroke_store import REST
from pipeline.bundle_files import default_model
from pipeline.data import index_dataset
from pipeline.data.phases_file import read_phases_csv
from pipeline.errors import UserError
from pipeline.images import read_label
from pipeline.images.rectangles import Window
from pipeline.workflows.label_loop.background_training import (
    MODEL,
    BackgroundTraining,
    Verdict,
    labelled_images,
    start_model,
    take_over,
    write_training_set,
)
from pipeline.workflows.label_loop.held_out import Agreement, with_held_out

SHAPE = (300, 320)
PORE = REST + 1


@pytest.fixture
def session(tmp_path: Path) -> LabelSession:
    (tmp_path / "rock" / "images").mkdir(parents=True)
    for number, name in enumerate("abc"):
        field = gaussian_filter(np.random.default_rng(number).normal(size=SHAPE), 6)
        grey = np.where(field < -0.02, 60, 170) + np.random.default_rng(9).normal(0, 6, SHAPE)
        tifffile.imwrite(tmp_path / "rock" / "images" / f"{name}.tif", grey.astype(np.uint8))
    return LabelSession(tmp_path / "rock")


def strokes(count: int = 10) -> np.ndarray:
    """Strokes of the rest and of pore by turns, apart from each other."""
    codes = np.zeros(SHAPE, np.uint8)
    for number in range(count):
        codes[line(10 + 25 * number, 10, 15 + 25 * number, 200)] = REST + number % 2
    return codes


def held_out(codes: np.ndarray, name: str = "") -> np.ndarray:
    (part,) = with_held_out({Window(0, 0, *codes.shape): codes}, codes.shape[1], name)
    return part.held


def test_whole_strokes_are_held_out() -> None:
    codes = strokes()
    held = held_out(codes)
    parts, count = connected(codes > 0, np.ones((3, 3)))
    shares = [held[parts == number].mean() for number in range(1, count + 1)]
    assert set(shares) == {0, 1}
    assert {int(code) for code in np.unique(codes[held])} == {REST, PORE}
    assert not held_out(strokes(4)).any()  # two of each are too few


def test_a_stroke_keeps_its_lot_when_others_are_added() -> None:
    spots = np.zeros((400, 400), np.uint8)
    spots[::8, ::8] = np.arange(2500).reshape(50, 50) % 2 + REST
    earlier = np.where(np.random.default_rng(0).random(spots.shape) < 0.5, spots, 0)
    before, after = held_out(earlier, "a"), held_out(spots, "a")
    trained = (earlier > 0) & ~before
    assert after.sum() == pytest.approx(500, abs=2)
    assert (trained & after).sum() < 0.05 * after.sum()
    assert (held_out(spots, "b") != after).any()


def test_the_same_strokes_are_held_out_of_an_image_in_parts() -> None:
    codes = strokes()
    codes[:, 205:260] = codes[:, 5:60]  # further strokes, in another window
    windows = [Window(2, 3, 291, 199), Window(0, 203, 300, 100)]
    whole = held_out(codes, "a")
    assert whole.any()
    for part in with_held_out({window: codes[_slices(window)] for window in windows}, codes.shape[1], "a"):
        np.testing.assert_array_equal(part.held, whole[_slices(part.window)])


def _slices(window: Window) -> tuple[slice, slice]:
    return slice(window.top, window.top + window.height), slice(window.left, window.left + window.width)


def test_a_large_label_is_written_as_far_as_it_was_painted(
    session: LabelSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.annotations.stroke_store.LARGEST_WHOLE", 100)
    monkeypatch.setattr("pipeline.annotations.stroke_store._CHUNK", 32)
    session.store("a").write(Window(0, 0, *SHAPE), strokes())
    (image,) = labelled_images(session)
    write_training_set(tmp_path / "set", [image], session)
    (sample,) = index_dataset(tmp_path / "set", divide=False).samples
    held = held_out(strokes(), "a")
    assert sample.labelled == ((strokes() > 0) & ~held).sum()
    assert not read_label(tmp_path / "set" / "labels" / "a.zarr")[held].any()


def test_the_training_set_lacks_what_is_held_out(session: LabelSession, tmp_path: Path) -> None:
    codes = strokes()
    for stem in "ab":
        session.store(stem).write(Window(0, 0, *SHAPE), codes)
    images = labelled_images(session)
    assert [one.image.name for one in images] == ["a.tif", "b.tif"]
    write_training_set(tmp_path / "set", images, session)
    index = index_dataset(tmp_path / "set", divide=False)
    for sample, one in zip(index.samples, images, strict=True):
        assert sample.labelled == ((codes > 0) & ~one.parts[0].held).sum()
    label = read_label(tmp_path / "set" / "labels" / "a.png")
    assert not label[images[0].parts[0].held].any()


def test_a_phase_without_strokes_is_left_out(session: LabelSession, tmp_path: Path) -> None:
    session.add_phase("clay")
    session.store("a").write(Window(0, 0, *SHAPE), strokes())
    write_training_set(tmp_path / "set", labelled_images(session), session)
    assert read_phases_csv(tmp_path / "set" / "phases.csv").names == ("pore",)
    assert read_phases_csv(session.root / "phases.csv").names == ("pore", "clay")


def test_too_little_is_refused(session: LabelSession, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no phase was painted"):
        write_training_set(tmp_path / "set", labelled_images(session), session)
    session.store("a").write(Window(0, 0, *SHAPE), np.where(strokes() == PORE, PORE, 0).astype(np.uint8))
    with pytest.raises(UserError, match="only pore was painted"):
        write_training_set(tmp_path / "set", labelled_images(session), session)


def agreement_of(truth: np.ndarray, found: np.ndarray, where: np.ndarray) -> Agreement:
    """Of two classes, 1 is pore."""
    names = np.array(["rest", "pore"])
    answers = Counter(zip(names[truth[where]].tolist(), names[found[where]].tolist(), strict=True))
    return Agreement(answers, Counter(names[found].ravel().tolist()))


def test_agreement_adds_up() -> None:
    first = Agreement(
        Counter({("pore", "pore"): 6, ("rest", "pore"): 2, ("rest", "rest"): 8}), Counter(rest=90, pore=8)
    )
    both = first + Agreement(Counter({("pore", "rest"): 4}), Counter(rest=2))
    assert both.painted == {"pore": 10, "rest": 10}
    assert both.pixels == 10
    assert both.shares() == pytest.approx({"pore": 9 / 102, "rest": 93 / 102})
    assert both.dice({"pore": 0.5, "rest": 0.5}) == pytest.approx(2 * 6 / (8 + 10))  # as many strokes of each
    assert np.isnan(Agreement(Counter(), Counter()).dice({}))


def test_strokes_that_hold_too_much_of_a_phase_judge_as_the_image_does() -> None:
    """Strokes of half pore, on a rock of a tenth: a model that calls too much pore looks better on them than it is."""
    draw = np.random.default_rng(0)
    truth = (draw.random((400, 400)) < 0.1).astype(int)
    timid, bold = truth.copy(), truth.copy()
    timid[draw.random(truth.shape) < 0.15] = 0
    bold[draw.random(truth.shape) < 0.1] = 1
    painted = np.where(truth == 1, draw.random(truth.shape) < 0.2, draw.random(truth.shape) < 0.02)

    def dice(found: np.ndarray, where: np.ndarray) -> float:
        return 2 * (truth & found)[where].sum() / (truth + found)[where].sum()

    everywhere = np.ones(truth.shape, bool)
    assert dice(timid, everywhere) > dice(bold, everywhere) + 0.2
    assert dice(timid, painted) < dice(bold, painted)
    verdict = Verdict.of(Path(), agreement_of(truth, timid, painted), agreement_of(truth, bold, painted))
    assert not verdict.is_better
    assert verdict.before == pytest.approx(dice(timid, everywhere), abs=0.03)
    assert verdict.after == pytest.approx(dice(bold, everywhere), abs=0.08)  # by a share between what the two find


def test_a_model_that_finds_nothing_is_beaten() -> None:
    truth = np.zeros((50, 50), int)
    truth[:10] = 1
    where = np.zeros(truth.shape, bool)
    where[8:12] = True
    nothing, right = (agreement_of(truth, found, where) for found in (np.zeros_like(truth), truth))
    verdict = Verdict.of(Path(), nothing, right)
    assert (verdict.before, verdict.after) == (0, 1)


def test_verdicts() -> None:
    nan = float("nan")
    assert Verdict(Path(), 0.8, 0.8, 9).is_better
    assert "as good" in str(Verdict(Path(), 0.8, 0.8, 9))
    assert not Verdict(Path(), 0.8, 0.7, 9).is_better
    assert "no stroke was held out" in str(Verdict(Path(), nan, nan, 0))


def test_where_a_training_starts(session: LabelSession, tmp_path: Path) -> None:
    assert start_model(session.root, ["pore"]) == default_model()
    assert start_model(session.root, ["pore", "clay"]) is None
    trained = tmp_path / "trained.pt"
    trained.write_bytes(default_model().read_bytes())  # type: ignore[union-attr]
    assert take_over(session.root, Verdict(trained, 0.5, 0.75, 100)) == session.root / MODEL
    assert start_model(session.root, ["pore"]) == session.root / MODEL
    assert '"dice": 0.75' in (session.root / "best.json").read_text()


def test_a_model_of_the_users_own_is_kept(session: LabelSession, tmp_path: Path) -> None:
    trained = tmp_path / "trained.pt"
    for number, name in enumerate(("best_before.pt", "best_before2.pt")):
        (session.root / "best.json").unlink(missing_ok=True)
        (session.root / MODEL).write_bytes(b"of the user %d" % number)
        for content in (b"first", b"second"):
            trained.write_bytes(content)
            take_over(session.root, Verdict(trained, 0.5, 0.75, 100))
        assert (session.root / name).read_bytes() == b"of the user %d" % number
        assert (session.root / MODEL).read_bytes() == b"second"
    assert len(list(session.root.glob("best*.pt"))) == 3


@pytest.mark.slow
def test_a_training_stops_where_ctrl_c_is_ignored(session: LabelSession) -> None:
    """As in what a script has started in its background."""
    session.store("a").write(Window(0, 0, *SHAPE), strokes())
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        training = BackgroundTraining(session)
    finally:
        signal.signal(signal.SIGINT, before)
    training.stop()
    training.wait(60)
    assert training.problem is None
    with pytest.raises(UserError, match="no model yet"):
        training.verdict()


def test_a_training_of_one_epoch(session: LabelSession) -> None:
    """It takes a process that loads PyTorch and trains."""
    for stem in "abc":
        session.store(stem).write(Window(0, 0, *SHAPE), strokes())
    settings = {"max_epochs": 1, "batch_size": 1, "set": "steps_per_epoch=1"}
    training = BackgroundTraining(session, settings)
    assert training.wait(400) == 0, training.lines
    assert training.problem is None
    assert (training.epoch, training.epochs) == (1, 1)
    verdict = training.verdict()
    assert verdict.pixels > 0
    assert 0 <= verdict.after <= 1
