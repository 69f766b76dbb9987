from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy.ndimage import gaussian_filter
from skimage.measure import label, regionprops_table

from pipeline.images import open_image
from pipeline.measure.porosity import block_counts, measure_porosity
from pipeline.report import Measures, Report, report_of_scan
from pipeline.synthetic import SceneSettings, generate
from tests.measure.pore_statistics.stores import store_of

NAME = "<script>alert(1)</script> & 'x'.tif"

#: scikit-image's names of the columns in pixels, and the table's
_NAMES = {
    "label": "pore",
    "area": "area_px",
    "equivalent_diameter_area": "equivalent_diameter_px",
    "perimeter": "perimeter_px",
    "major_axis_length": "major_axis_px",
    "minor_axis_length": "minor_axis_px",
    "centroid-0": "centroid_y_px",
    "centroid-1": "centroid_x_px",
    "bbox-0": "bbox_y_px",
    "bbox-1": "bbox_x_px",
}
_PROPERTIES = (*list(_NAMES)[:6], "orientation", "feret_diameter_max", "solidity", "bbox", "centroid")


def pore_table(mask: np.ndarray) -> pd.DataFrame:
    """The columns in pixels that a report reads, by scikit-image alone; (H, W) or (slices, H, W)."""
    tables = []
    for number, slice_ in enumerate(mask if mask.ndim == 3 else mask[None]):
        labels = label(slice_, connectivity=2)
        table = pd.DataFrame(regionprops_table(labels, properties=_PROPERTIES)).rename(columns=_NAMES)
        height, width = table.pop("bbox-2") - table["bbox_y_px"], table.pop("bbox-3") - table["bbox_x_px"]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(table["minor_axis_px"] > 0, table["major_axis_px"] / table["minor_axis_px"], np.nan)
            circularity = (
                4 * np.pi * table["area_px"] / np.where(table["perimeter_px"] > 0, table["perimeter_px"], np.nan) ** 2
            )
        at_border = (table["bbox_x_px"] == 0) | (table["bbox_y_px"] == 0)
        at_border |= (table["bbox_x_px"] + width == slice_.shape[1]) | (table["bbox_y_px"] + height == slice_.shape[0])
        # scikit-image counts from the y axis
        angle = np.rad2deg(table.pop("orientation")) + 90
        tables.append(
            table.assign(
                slice=number,
                bbox_width_px=width,
                bbox_height_px=height,
                aspect_ratio=ratio,
                circularity=circularity,
                feret_max_px=table["major_axis_px"],
                feret_min_px=table["minor_axis_px"],
                orientation_deg=np.where(angle > 90, angle - 180, angle),
                mean_probability=0.9,
                touches_border=at_border,
            )
        )
    return pd.concat(tables, ignore_index=True)


def make_report(
    folder: Path,
    image: np.ndarray,
    mask: np.ndarray,
    *,
    pixel_size_nm: float | None = None,
    name: str = "scan.tif",
    acquisition: dict[str, Any] | None = None,
    manifest: dict[str, Any] | None = None,
    path: str | None = None,
    **options: Any,
) -> Report:
    """The report of a scan whose mask is known."""
    file = folder / "scan.tif"
    tifffile.imwrite(file, image)
    soft = None if mask.ndim == 3 else np.where(mask, 0.5, 0.49) + gaussian_filter(mask.astype(np.float32), 1) - 0.5
    probability = None if soft is None else np.where(mask, np.clip(soft, 0.5, 1), np.clip(soft, 0, 0.49))
    store, entries = store_of(folder, mask, chunk=256, block=64, probability=probability)
    with open_image(file) as source:
        source.path = str(folder / name)  # no file system takes such a name everywhere
        measures = Measures(
            store=store,
            blocks=block_counts(store.plan, entries),
            porosity=measure_porosity(store.plan, entries),
            table=pore_table(mask),
            manifest={"request": {"threshold": 0.5}} if manifest is None else manifest,
            pixel_size_nm=pixel_size_nm,
            min_area_px=1,
            acquisition=acquisition,
            **options,
        )
        return report_of_scan([measures], measures.store, lambda _: nullcontext(source), path)


@pytest.fixture(scope="session")
def synthetic_mask() -> np.ndarray:
    return generate((600, 800), 0, SceneSettings(anisotropy=0.8, orientation_deg=30)).label > 0


@pytest.fixture(scope="session")
def synthetic_table(synthetic_mask: np.ndarray) -> pd.DataFrame:
    return pore_table(synthetic_mask)


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory, synthetic_mask: np.ndarray) -> Report:
    """Of a synthetic scan in pixels of 20 nm."""
    folder = tmp_path_factory.mktemp("report")
    image = generate((600, 800), 0, SceneSettings(anisotropy=0.8, orientation_deg=30)).image
    manifest = {
        "request": {"threshold": 0.5, "prompt": "<b>pore</b>"},
        "checkpoint": "a/best.pt",
        "versions": {"x": "1"},
    }
    return make_report(folder, image, synthetic_mask, pixel_size_nm=20.0, name=NAME, manifest=manifest, dropped=7)


Maker = Callable[..., Report]


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    def made(image: np.ndarray, mask: np.ndarray, **options: Any) -> Report:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        return make_report(folder, image, mask, **options)

    return made
