from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tifffile

from tests.label.painted_rock import made

if TYPE_CHECKING:  # it needs a window
    from pipeline.label.dock import LabelDock


@pytest.fixture
def rock(tmp_path: Path) -> Path:
    (tmp_path / "rock" / "images").mkdir(parents=True)
    for name in "ab":
        tifffile.imwrite(tmp_path / "rock" / "images" / f"{name}.tif", made()[0])
    return tmp_path / "rock"


@pytest.fixture
def dock(rock: Path, qtbot: Any) -> Iterator[LabelDock]:
    import napari

    from pipeline.label.dock import LabelDock

    viewer = napari.Viewer(show=False)
    dock = LabelDock(viewer, rock)
    qtbot.addWidget(dock)
    yield dock
    dock.close_all()
    viewer.close()
