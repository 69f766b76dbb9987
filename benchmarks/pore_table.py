"""The table of pores out of core, against scikit-image's on the whole mask: the same values, time, peak memory.

    python benchmarks/pore_table.py                       # 8192 x 8192 px, over 100 000 pores; some minutes
    python benchmarks/pore_table.py --side 32768 --untiled false

The scan is made of a random field of 2048 x 2048 px, shifted and flipped differently for each tile; it is written to a
store as an inference writes it. Each table is made in a process of its own, whose peak memory is reported, with
what it held before (Python and libraries).
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import skimage
from _memory import alone, resident_peak
from scipy import ndimage

from pipeline.engine import ScanStore
from pipeline.measure.pores_2d import StoredSegmentation, write_pore_table
from pipeline.tiling.chunk_plan import ChunkPlan

TILE = 2048
#: column of the table, scikit-image's name, largest difference allowed (relative, absolute)
COMPARED = (
    ("area_px", "area", 0, 0),
    ("bbox_y_px", "bbox-0", 0, 0),
    ("bbox_x_px", "bbox-1", 0, 0),
    ("perimeter_px", "perimeter", 1e-12, 0),
    ("equivalent_diameter_px", "equivalent_diameter_area", 1e-12, 0),
    ("feret_max_px", "feret_diameter_max", 1e-12, 0),
    ("solidity", "solidity", 1e-12, 0),
    ("centroid_y_px", "centroid-0", 1e-12, 0),
    ("centroid_x_px", "centroid-1", 1e-12, 0),
    ("mean_probability", "intensity_mean", 1e-12, 0),
    ("major_axis_px", "axis_major_length", 1e-9, 1e-9),
    # of a line of one pixel it is 0, and scikit-image's the root of a rounding error
    ("minor_axis_px", "axis_minor_length", 1e-6, 1e-6),
    ("orientation_deg", "orientation", 0, 1e-6),
)


def make_scan(folder: Path, side: int, chunk: int, porosity: float, smooth: float, whole: bool) -> None:
    """Write `scan.ome.zarr`, and the mask and probability as arrays for scikit-image if `whole`."""
    random = np.random.default_rng(0)
    field = ndimage.gaussian_filter(random.random((TILE, TILE)), smooth, mode="wrap")
    # half of the probabilities lie above that at which a pixel is pore
    share = np.clip((field - np.quantile(field, 1 - porosity)) / np.ptp(field) + 0.5, 0, 1)
    levels = np.rint(share * 255).astype(np.uint8)
    store = ScanStore.create(folder / "scan.ome.zarr", ChunkPlan(side, side, chunk=chunk), "benchmark")
    for first in range(0, side, TILE):
        tiles = []
        for _ in range(-(-side // TILE)):
            tile = np.roll(levels, random.integers(0, TILE, 2), (0, 1))
            tiles.append(tile[:: random.choice((-1, 1)), :: random.choice((-1, 1))])
        rows = np.concatenate(tiles, axis=1)[: side - first, :side]
        for place in (store.plan[index] for index in range(len(store.plan))):
            if first <= place.y < first + TILE:
                part = rows[place.y - first :, place.x :][: place.height, : place.width]
                for channel, pixels in enumerate(((part >= 128).view(np.uint8) * np.uint8(255), part)):
                    store.write(0, channel, (0, place.row, place.column), pixels)
        if whole:
            np.save(folder / f"rows-{first:06}.npy", rows)


def ours(folder: Path, side: int, chunk: int) -> dict[str, Any]:
    """Time and memory of `write_pore_table`."""
    store = ScanStore.open(folder / "scan.ome.zarr", ChunkPlan(side, side, chunk=chunk))
    return _measured(lambda: vars(write_pore_table(StoredSegmentation(store), folder, min_area_px=1)))


def theirs(folder: Path) -> dict[str, Any]:
    """Time and memory of `label` and `regionprops_table`, with the same columns."""
    from skimage.measure import label, regionprops_table

    probability = np.concatenate([np.load(path) for path in sorted(folder.glob("rows-*.npy"))])
    mask = probability >= 128

    def work() -> dict[str, Any]:
        names = sorted({name.split("-")[0] for _, name, _, _ in COMPARED})
        table = regionprops_table(label(mask, connectivity=2), probability, names)
        np.savez(folder / "theirs.npz", **table)
        return {"pores": len(table["area"])}

    return _measured(work)


def compare(folder: Path) -> dict[str, float]:
    """Largest difference of each column.

    Raises:
        SystemExit: it is larger than it may be.
    """
    table = pd.read_parquet(folder / "pores.parquet")
    truth = dict(np.load(folder / "theirs.npz"))
    if len(table) != len(truth["area"]):
        raise SystemExit(f"{len(table)} pores, scikit-image has {len(truth['area'])}")
    truth["intensity_mean"] = truth["intensity_mean"] / 255
    # measured from the row axis there; an empty angle has no longer axis
    angle = truth["orientation"]
    truth["orientation"] = np.where(table["orientation_deg"].isna(), np.nan, _wrapped(np.degrees(angle) - 90))
    largest = {}
    for ours_, name, relative, absolute in COMPARED:
        values, expected = table[ours_].to_numpy(), truth[name]
        if ours_ == "orientation_deg":
            expected = values + _wrapped(expected - values)
        difference = np.abs(values - expected)
        largest[ours_] = float(np.nanmax(difference))
        if not np.allclose(values, expected, rtol=relative, atol=absolute, equal_nan=True):
            raise SystemExit(f"{ours_} differs by {largest[ours_]:.3g}")
    return largest


def _wrapped(degrees: np.ndarray) -> np.ndarray:
    """In (-90, 90]."""
    return 90 - (90 - degrees) % 180


def _measured(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    before = resident_peak()
    start = time.perf_counter()
    result = work()
    return {**result, "seconds": time.perf_counter() - start, "before_mb": before, "peak_mb": resident_peak()}


def main() -> None:
    """Measure, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, nargs="+", default=[8192], help="sides of the scan (px), one after another")
    parser.add_argument("--chunk", type=int, default=1024, help="side of the store's chunks (px)")
    parser.add_argument("--porosity", type=float, default=0.14)
    parser.add_argument("--smooth", type=float, default=3.0, help="width of the random field's filter (px)")
    parser.add_argument("--untiled", choices=("true", "false"), default="true", help="compare with scikit-image")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="also write the numbers to this file")
    options = parser.parse_args()
    if TILE % options.chunk:
        parser.error(f"--chunk must divide {TILE}")
    untiled = options.untiled == "true"
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, scikit-image {skimage.__version__}")
    results = []
    for side in options.side:
        with TemporaryDirectory() as name:
            folder = Path(name)
            make_scan(folder, side, options.chunk, options.porosity, options.smooth, untiled)
            result: dict[str, Any] = {"side": side, "out_of_core": alone(ours, folder, side, options.chunk)}
            _show(f"{side} x {side} px, out of core", result["out_of_core"])
            if untiled:
                result["untiled"] = alone(theirs, folder)
                _show(f"{side} x {side} px, regionprops_table", result["untiled"])
                result["largest_difference"] = compare(folder)
                shown = (f"{column} {value:.1g}" for column, value in result["largest_difference"].items())
                print("equal; largest differences: " + ", ".join(shown))
        results.append(result)
    if options.output:
        options.output.write_text(json.dumps({**vars(options), "output": None, "results": results}, indent=2))


def _show(what: str, result: dict[str, Any]) -> None:
    print(
        f"{what}: {result['pores']} pores, {result['seconds']:.1f} s, "
        f"peak {result['peak_mb']:.0f} MB (before: {result['before_mb']:.0f} MB)",
        flush=True,
    )


if __name__ == "__main__":
    main()
