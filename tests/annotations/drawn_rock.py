"""A data set of two images, with a square and a triangle on them, as pixels, and what was written of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.cli.main import main
from pipeline.errors import SUCCESS
from pipeline.images import read_label

H, W = 80, 100
#: a square of pore with a hole, and a triangle of clay, in pixels' corners
SQUARE = [[10.0, 20.0], [40.0, 20.0], [40.0, 50.0], [10.0, 50.0]]
HOLE = [[20.0, 30.0], [30.0, 30.0], [30.0, 40.0], [20.0, 40.0]]
CLAY = [[60.2, 10.0], [90.2, 10.0], [90.2, 40.0]]


def square(hole: bool = True) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[20:50, 10:40] = True
    mask[30:40, 20:30] = not hole
    return mask


def triangle() -> np.ndarray:
    """Pixels whose centres lie in the triangle: right of its slope."""
    y, x = np.mgrid[:H, :W] + 0.5
    return (x > 60.2) & (x < 90.2) & (y > 10) & (x - 60.2 > y - 10)


def labels(rock: Path, name: str = "a") -> dict[str, np.ndarray]:
    """Where each phase is, by name, in a written label."""
    label = read_label(rock / "labels" / f"{name}.png")
    table = pd.read_csv(rock / "phases.csv")
    return {phase: np.isin(label, rows["value"]) for phase, rows in table.groupby("phase")}


def imported(rock: Path, *arguments: object) -> None:
    assert main(["import-labels", str(rock), *map(str, arguments)]) == SUCCESS
