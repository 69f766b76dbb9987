from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.engine import ScanStore
from pipeline.errors import UserError
from pipeline.images.rectangles import Roi
from pipeline.measure.pores_2d import PoreSummary, StoredSegmentation, write_pore_table
from pipeline.measure.pores_2d import pore_table as table
from pipeline.measure.pores_2d import strips as strips_module
from pipeline.tiling.chunk_plan import ChunkPlan
from tests.measure.pores_2d.arrays import ArraySegmentation
from tests.measure.pores_2d.shapes import SHAPES, Table, assert_equal_to_truth, random_mask, random_probability


def table_of(folder: Path, mask: np.ndarray, probability: np.ndarray, band: int = 1024, **options: object) -> Table:
    """What `write_pore_table` writes of an array, as arrays; all pores by default."""
    write_pore_table(ArraySegmentation(mask, probability, band=band), folder, **{"min_area_px": 1, **options})  # type: ignore[arg-type]
    return read(folder)


def read(folder: Path) -> Table:
    frame = pd.read_parquet(folder / "pores.parquet")
    return {name: frame[name].to_numpy() for name in frame}


def hashes(folder: Path) -> list[str]:
    return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("pores.csv", "pores.parquet")]


@pytest.fixture
def low_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of a few rows, also inside a band."""
    monkeypatch.setattr(strips_module, "_PIXELS", 128)


@pytest.mark.parametrize("name", SHAPES)
def test_every_pore_is_measured_as_on_the_whole_mask(name: str, tmp_path: Path) -> None:
    mask = SHAPES[name]
    probability = random_probability(mask.shape)
    for band in (1, 2, 3, 7, 1024):
        rows = table_of(tmp_path / str(band), mask, probability, band)
    assert_equal_to_truth(rows, mask, probability)
    assert len({tuple(hashes(tmp_path / str(band))) for band in (1, 2, 3, 7, 1024)}) == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    share=st.floats(0.02, 0.8),
    smooth=st.sampled_from([0, 0.6, 1.0, 2.0]),
    seed=st.integers(0, 1 << 30),
    band=st.integers(1, 40),
)
def test_random_masks(
    shape: tuple[int, int], share: float, smooth: float, seed: int, band: int, tmp_path: Path, low_strips: None
) -> None:
    mask, probability = random_mask(shape, share, smooth, seed), random_probability(shape, seed)
    assert_equal_to_truth(table_of(tmp_path, mask, probability, band), mask, probability)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=8), band=st.integers(1, 8))
def test_small_masks(rows: list[list[bool]], band: int, tmp_path: Path) -> None:
    mask = np.array(rows)
    probability = random_probability(mask.shape)
    assert_equal_to_truth(table_of(tmp_path, mask, probability, band), mask, probability)


def test_cutting_does_not_change_a_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask, probability = random_mask((300, 200), 0.3, 1.2, 0), random_probability((300, 200))
    for band in (300, 64, 5):
        table_of(tmp_path / str(band), mask, probability, band, pixel_size_nm=20.0)
    # rows that wait on the disk
    monkeypatch.setattr(table, "_ROWS_IN_MEMORY", 40)
    monkeypatch.setattr(strips_module, "_PIXELS", 2000)
    table_of(tmp_path / "spilled", mask, probability, 16, pixel_size_nm=20.0)
    assert len({tuple(hashes(tmp_path / name)) for name in ("300", "64", "5", "spilled")}) == 1
    assert sorted(path.name for path in (tmp_path / "spilled").iterdir()) == ["pores.csv", "pores.parquet"]


@pytest.mark.parametrize("chunk", [16, 48, 256])
def test_a_stored_segmentation_with_a_region(chunk: int, tmp_path: Path) -> None:
    plan = ChunkPlan(height=150, width=140, depth=2, chunk=chunk, block=16, roi=Roi(11, 17, 101, 93))
    store = ScanStore.create(tmp_path / "out.ome.zarr", plan, "request")
    masks = [random_mask((93, 101), 0.3, 1.0, seed) for seed in range(plan.depth)]
    levels = [random_probability((93, 101), seed) // 2 for seed in range(plan.depth)]
    for slice_ in range(plan.depth):
        levels[slice_][masks[slice_]] += 128
    for chunk_ in (plan[index] for index in range(len(plan))):
        part = levels[chunk_.slice][chunk_.y : chunk_.y + chunk_.height, chunk_.x : chunk_.x + chunk_.width]
        store.write_chunk(chunk_.index, part[None].astype(np.float32) / 255, [0.501])
    summary = write_pore_table(StoredSegmentation(store), tmp_path, min_area_px=1)
    rows = read(tmp_path)
    assert summary.pores == len(rows["pore"])
    assert list(rows["pore"]) == list(range(1, summary.pores + 1))
    for slice_ in range(plan.depth):
        here = rows["slice"] == slice_
        ours = {name: values[here] for name, values in rows.items()}
        # from the scan's corner to the region's
        for name, offset in (("centroid_x_px", 11), ("bbox_x_px", 11), ("centroid_y_px", 17), ("bbox_y_px", 17)):
            ours[name] = ours[name] - offset
        ours["pore"] = ours["pore"] - ours["pore"][0] + 1
        assert_equal_to_truth(ours, masks[slice_], levels[slice_])
    assert (np.diff(rows["slice"]) >= 0).all()


def test_small_pores_are_left_out_and_told(tmp_path: Path) -> None:
    mask, probability = random_mask((80, 90), 0.2, 0.6, 0), random_probability((80, 90))
    every = table_of(tmp_path / "all", mask, probability)
    summary = write_pore_table(ArraySegmentation(mask, probability, band=9), tmp_path / "some", min_area_px=6)
    some = read(tmp_path / "some")
    large = every["area_px"] >= 6
    assert summary == PoreSummary(
        min_area_px=6,
        pores=int(large.sum()),
        area_px=int(every["area_px"][large].sum()),
        touching_border=int(every["touches_border"][large].sum()),
        dropped=int((~large).sum()),
        dropped_area_px=int(every["area_px"][~large].sum()),
    )
    assert summary.area_px + summary.dropped_area_px == mask.sum()
    assert summary.dropped > 10 < summary.pores
    for name in every:
        if name != "pore":
            np.testing.assert_array_equal(some[name], every[name][large])
    assert list(some["pore"]) == list(range(1, summary.pores + 1))


def test_micrometres(tmp_path: Path) -> None:
    mask, probability = random_mask((50, 60), 0.3, 1.0, 0), random_probability((50, 60))
    rows = table_of(tmp_path, mask, probability, pixel_size_nm=97.6562)
    np.testing.assert_allclose(rows["area_um2"], rows["area_px"] * 0.0976562**2, rtol=1e-12)
    lengths = [name for name in rows if name.endswith("_um")]
    assert len(lengths) == 8
    for name in lengths:
        np.testing.assert_allclose(rows[name], rows[name.replace("_um", "_px")] * 0.0976562, rtol=1e-12)
    schema = pq.read_schema(tmp_path / "pores.parquet")
    assert schema.field("feret_min_um").metadata[b"unit"].decode() == "µm"
    assert b'"pixel_size_nm": 97.6562' in schema.metadata[b"vlsenet"]


def test_csv_and_parquet_hold_the_same(tmp_path: Path) -> None:
    mask, probability = random_mask((50, 60), 0.3, 0, 0), random_probability((50, 60))
    table_of(tmp_path, mask, probability)
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "pores.csv", float_precision="round_trip"),
        pd.read_parquet(tmp_path / "pores.parquet"),
        check_dtype=False,
        check_exact=True,
    )


def test_progress_counts_every_row(tmp_path: Path) -> None:
    mask, probability = random_mask((50, 60), 0.3, 1.0, 0), random_probability((50, 60))
    done: list[int] = []
    table_of(tmp_path, mask, probability, 7, progress=done.append)
    assert sum(done) == 50
    assert len(done) > 5


def test_no_area_below_a_pixel(tmp_path: Path) -> None:
    mask = np.ones((4, 4), bool)
    with pytest.raises(UserError, match="at least 1"):
        table_of(tmp_path, mask, random_probability((4, 4)), min_area_px=0)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        table_of(tmp_path / "file", np.ones((4, 4), bool), random_probability((4, 4)))


def test_a_damaged_chunk_leaves_nothing_behind(tmp_path: Path) -> None:
    plan = ChunkPlan(height=40, width=40, chunk=16, block=16)
    store = ScanStore.create(tmp_path / "out.ome.zarr", plan, "request")
    out = tmp_path / "table"
    with pytest.raises(UserError, match="missing or damaged"):
        write_pore_table(StoredSegmentation(store), out)
    assert not list(out.iterdir())
