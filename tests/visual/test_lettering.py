from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.visual import comparison_figure
from pipeline.visual import drawing as lettering

#: Matplotlib brings two fonts: one with the Cyrillic letter, and one without
BARE, RICH, LETTER = "cmr10", "DejaVu Serif", "Ж"


@lettering.any_script()
def figure_of(text: str) -> Figure:
    figure = Figure(figsize=(1, 1))
    FigureCanvasAgg(figure)
    figure.text(0.2, 0.2, text, fontsize=40)
    return figure


def drawn(figure: Figure, path: Path) -> np.ndarray:
    figure.savefig(path, format="rgba")
    return np.frombuffer(path.read_bytes(), np.uint8)


def test_a_letter_that_the_font_lacks_is_taken_from_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with matplotlib.rc_context({"font.sans-serif": [BARE]}):
        monkeypatch.setattr(lettering, "_EAST_ASIAN", ("no such font",))
        with pytest.warns(UserWarning, match="missing from font"):
            missing = drawn(figure_of(LETTER), tmp_path / "missing")
        monkeypatch.setattr(lettering, "_EAST_ASIAN", ("no such font", RICH))
        shown = drawn(figure_of(LETTER), tmp_path / "shown")
    with matplotlib.rc_context({"font.family": [RICH]}):
        alone = Figure(figsize=(1, 1))
        alone.text(0.2, 0.2, LETTER, fontsize=40)
        expected = drawn(alone, tmp_path / "expected")
    assert not np.array_equal(missing, shown)
    np.testing.assert_array_equal(shown, expected)
    assert matplotlib.rcParams["font.family"] == ["sans-serif"]


def test_dollars_in_a_name_are_no_formula(tmp_path: Path) -> None:
    image = np.arange(600.0).reshape(20, 30)
    figure = comparison_figure(image, image > 300, image > 310, r"a$\sand$b.tif")
    figure.savefig(tmp_path / "a.png")  # Matplotlib would refuse \sand
    assert figure.get_suptitle() == r"a\$\sand\$b.tif"
