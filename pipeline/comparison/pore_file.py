"""``per_pore.csv`` of an evaluation, of today's form or an earlier one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

#: earlier names of columns
_RENAMED = {"area": "area_px", "orientation": "orientation_deg"}
_COLUMNS = {"name", "source", "area_px", "aspect_ratio", "orientation_deg", "found"}
#: the earlier form has four digits
_ROUNDING = 5e-4


def read_pores(path: Path) -> tuple[pd.DataFrame, bool]:
    """Read the true pores of all images: ``name``, ``source`` and :meth:`pipeline.metrics.TruePores.columns`.

    In the earlier form pixels were unit squares instead of points: a line of one pixel's width had an aspect ratio, a
    single pixel the ratio 1 and an orientation, and small pores have smaller ratios than today. All but the last is
    made as it is today.

    Returns:
        The pores, and whether they are of the earlier form.

    Raises:
        ValueError: another kind of table.
    """
    pores = pd.read_csv(
        path,
        dtype={"name": str, "source": str},
        keep_default_na=False,
        na_values={"aspect_ratio": [""], "orientation_deg": [""]},
    )
    earlier = "area" in pores
    if earlier:
        pores = pores.rename(columns=_RENAMED)
    if not _COLUMNS.issubset(pores.columns):
        raise ValueError(f"{path.name} lacks columns")
    return (_as_today(pores) if earlier else pores), earlier


def _as_today(pores: pd.DataFrame) -> pd.DataFrame:
    area, ratio, angle = pores["area_px"], pores["aspect_ratio"], pores["orientation_deg"]
    # of n pixels in a row, and in a diagonal
    is_line = np.isclose(ratio, area, rtol=_ROUNDING) | np.isclose(ratio, np.sqrt(2 * area**2 - 1), rtol=_ROUNDING)
    return pores.assign(
        aspect_ratio=ratio.mask(is_line),
        orientation_deg=(angle - 180 * (angle > 90)).mask(np.isclose(ratio, 1, atol=_ROUNDING)),
    )
