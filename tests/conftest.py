from __future__ import annotations

import gc
import logging
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.paths import SHARED


def pytest_configure(config: pytest.Config) -> None:
    """Keep GPUs out of sight but for the tests that need one (``-m gpu``): on a CPU results repeat to the bit."""
    if config.option.markexpr.strip() != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What collecting imports stays: to look through it for garbage again and again took a tenth of the tests' time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """Without this, a library of Triton's takes what is left at the end of Python for leaks, and prints them."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """The tests kill processes, never the machine: nothing need wait for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _freed_memory_is_kept() -> None:
    """As the commands do; clearing the same pages again and again took a third of the tests of the engine."""
    if "torch" in sys.modules:  # imported by a test that was collected
        from pipeline.memory import keep_freed_memory

        keep_freed_memory()


@pytest.fixture(scope="session", autouse=True)
def _new_stores_are_copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """MLflow makes the tables of an SQLite store for seconds: once in this process; other stores are copies.

    Where no test that was collected has imported it, nothing else does here: that takes seconds, too.
    """
    stores = sys.modules.get("pipeline.tracking.stores")
    if stores is None:
        yield
        return
    make, empty = stores._make, tmp_path_factory.mktemp("store") / "mlflow.db"

    def copied(file: Path) -> None:
        if not empty.exists():
            make(empty)
        shutil.copy(empty, file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "_make", copied)
        yield


@pytest.fixture(scope="session")
def make_store(_new_stores_are_copies: None) -> Callable[[Path], str]:
    """Puts an empty MLflow store into a folder."""
    from pipeline.tracking.addresses import default_tracking_uri
    from pipeline.tracking.stores import open_client  # imports MLflow, which takes seconds

    def make(folder: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        open_client(default_tracking_uri(folder))
        return default_tracking_uri(folder)

    return make


@pytest.fixture(autouse=True)
def _logs_reach_pytest():
    """The bundle's logging.conf, applied by tests that run it, changes the package's log for all later tests."""
    logger = logging.getLogger("vlsenet")
    logger.propagate, logger.disabled = True, False
    logger.setLevel(logging.NOTSET)
    logger.handlers.clear()  # its own, which writes to a stream that is gone


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not drawn, which takes half the time of a small scan: their files are blank."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes long where no test needs it
    from matplotlib.figure import Figure

    def savefig(figure: Figure, file: Path | StringIO, format: str = "png", **_: object) -> None:
        if isinstance(file, StringIO):
            file.write("<svg/>")
        else:
            Image.new("L", (1, 1)).save(file, format)

    monkeypatch.setattr(Figure, "savefig", savefig)
    monkeypatch.setattr(FigureCanvasAgg, "draw", FigureCanvasAgg.get_renderer)  # which is blank
    monkeypatch.setattr("pipeline.visual.figure._laid_out", lambda figure: figure)


@pytest.fixture
def drawn() -> None:
    """For tests that look at figures, where those of their folder are not drawn."""


@pytest.fixture
def shared() -> Path:
    """The folder of real images beside the repository."""
    folder = SHARED
    if not folder.is_dir():
        pytest.skip(f"no real images: {folder} is missing")
    return folder


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Write a data set of random images whose masks have a given porosity each; returns its folder."""

    def make(
        porosities: dict[str, float],
        *,
        values: tuple[int, int] = (0, 255),
        size: tuple[int, int] = (24, 40),
        folders: tuple[str, str] = ("images", "labels"),
    ) -> Path:
        root = tmp_path / "set"
        for folder in folders:
            (root / folder).mkdir(parents=True)
        rng = np.random.default_rng(0)
        for name, porosity in porosities.items():
            mask = np.zeros(size[0] * size[1], np.uint8) + values[0]
            mask[: round(porosity * mask.size)] = values[1]
            image = rng.integers(1, 256, size, dtype=np.uint8)
            Image.fromarray(image).save(root / folders[0] / f"{name}.png")
            Image.fromarray(mask.reshape(size)).save(root / folders[1] / f"{name}.png")
        return root

    return make
