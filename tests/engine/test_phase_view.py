from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from pipeline.engine import BlockCounts, Journal, ScanStore, build_pyramid, phase_view
from pipeline.engine.store import MASK, PROBABILITY
from pipeline.errors import UserError
from pipeline.phase_colours import PORE_COLOUR
from pipeline.tiling.chunk_plan import ChunkPlan
from tests.engine.scans import PHASES, PLAN, bytes_of, part, probability_of, write_all, write_phases


def test_zarr_reads_labels_and_probabilities(tmp_path: Path) -> None:
    """By hand: a pixel is the most probable of the phases that reach their thresholds."""
    plan = ChunkPlan(70, 50, depth=2, chunk=32, block=16)
    write_phases(tmp_path / "a.ome.zarr", plan, (0.5, 0.6))
    group = zarr.open(str(tmp_path / "a.ome.zarr"), mode="r")
    pore, silt = (probability_of(plan, seed) for seed in (0, 1))
    is_pore = (pore >= 0.5) & ((pore >= silt) | (silt < 0.6))
    is_silt = (silt >= 0.6) & ((silt > pore) | (pore < 0.5))
    labels = group["labels/phases/0"][0, 0]
    np.testing.assert_array_equal(labels, is_pore + 2 * is_silt)
    image = group["0"][0]
    assert image.shape == (3, 2, 70, 50)
    # readers that leave the group of labels out find the label image here
    np.testing.assert_array_equal(image[0], labels)
    assert np.abs(image[1:] / 255 - np.stack([pore, silt])).max() <= 0.5 / 255 + 1e-6


def test_the_label_image_has_names_and_colours(tmp_path: Path) -> None:
    """https://ngff.openmicroscopy.org/0.4/#label-md"""
    write_phases(tmp_path / "a.ome.zarr")
    group = zarr.open(str(tmp_path / "a.ome.zarr"), mode="r")
    assert group["labels"].attrs["labels"] == ["phases"]
    labels = group["labels/phases"]
    said = labels.attrs["image-label"]
    assert said["version"] == "0.4"
    assert said["properties"] == [{"label-value": 1, "name": "pore"}, {"label-value": 2, "name": "silt grain"}]
    assert [one["label-value"] for one in said["colors"]] == [1, 2]
    assert said["colors"][0]["rgba"] == [*PORE_COLOUR, 255]
    assert said["colors"][1]["rgba"] != said["colors"][0]["rgba"]
    (scales,), (of_image,) = labels.attrs["multiscales"], group.attrs["multiscales"]
    assert [one["path"] for one in scales["datasets"]] == [one["path"] for one in of_image["datasets"]]
    for level in scales["datasets"]:
        assert labels[level["path"]].shape[2:] == group[level["path"]].shape[2:]
        assert set(np.unique(labels[level["path"]][:])) <= {0, 1, 2}
    assert [channel["label"] for channel in group.attrs["omero"]["channels"]] == ["phases", *PHASES]


def test_pore_as_the_only_phase_is_stored_as_ever(tmp_path: Path) -> None:
    """No group of labels, and no word of phases."""
    write_all(tmp_path / "a.ome.zarr")
    names = set(bytes_of(tmp_path / "a.ome.zarr"))
    assert {name.split("/")[0] for name in names} == {".zattrs", ".zgroup", "0", "1", "2", "3"}
    attributes = json.loads((tmp_path / "a.ome.zarr" / ".zattrs").read_text())
    assert set(attributes["vlsenet"]) == {"format", "plan", "request"}
    store = ScanStore.open(tmp_path / "a.ome.zarr", PLAN)
    assert phase_view(store, 1) is store


@pytest.mark.parametrize("number", [1, 2])
def test_a_view_is_the_store_of_that_phase_alone(tmp_path: Path, number: int) -> None:
    """Where the other phase reaches no pixel, the view equals a store that was asked for the one only."""
    probability = probability_of(PLAN)
    alone = write_all(tmp_path / "alone.ome.zarr")
    store = ScanStore.create(tmp_path / "two.ome.zarr", PLAN, "request", phases=PHASES)
    for index in range(len(PLAN)):
        shown = part(PLAN, probability, index)
        maps = [shown, np.zeros_like(shown)] if number == 1 else [np.zeros_like(shown), shown]
        counts = store.write_chunk(index, np.stack(maps), (0.5, 0.5))
        pore, rock = counts.of_phase(number)
        chunk = PLAN[index]
        assert pore.sum() == (shown >= 0.5).sum()
        assert rock.sum() == chunk.area
        assert not counts.of_phase(3 - number).pore.any()
    build_pyramid(store)
    view = phase_view(ScanStore.open(tmp_path / "two.ome.zarr", PLAN), number)
    for level in range(len(alone.shapes)):
        for channel in (MASK, PROBABILITY):
            np.testing.assert_array_equal(view.read_area(level, channel, 0), alone.read_area(level, channel, 0))
    for ours, theirs in zip(view.bands(MASK, 0), alone.bands(MASK, 0), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_phases_share_no_pixel_and_empty_ground_has_none(tmp_path: Path) -> None:
    plan = ChunkPlan(32, 32, chunk=32, block=16)
    store = ScanStore.create(tmp_path / "a.ome.zarr", plan, "request", phases=PHASES)
    rock = np.zeros((32, 32), bool)
    rock[:, :20] = True
    counts = store.write_chunk(0, np.full((2, 32, 32), 0.9, np.float32), (0.5, 0.5), rock)
    masks = [phase_view(store, number).read_area(0, MASK, 0) for number in (1, 2)]
    np.testing.assert_array_equal(masks[0] > 0, rock)  # as probable as the other: the first
    assert not masks[1].any()
    assert counts.pore.shape == (2, 2, 2)
    assert counts.pore.sum() == counts.rock.sum() == rock.sum()


def test_a_store_of_other_phases_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    write_phases(path)
    with pytest.raises(UserError, match="other settings"):
        ScanStore.create(path, PLAN, "request")
    with pytest.raises(ValueError, match="probability"):
        ScanStore.open(path, PLAN).write_chunk(0, np.zeros((1, 32, 32), np.float32), [0.5])


def test_the_journal_keeps_the_counts_of_each_phase(tmp_path: Path) -> None:
    counts = BlockCounts(np.arange(8).reshape(2, 2, 2), np.full((2, 2), 9))
    with Journal.open(tmp_path, {"phases": list(PHASES)}) as journal:
        journal.add(3, counts)
        found = journal.entries()[3]
    for number in (1, 2):
        np.testing.assert_array_equal(found.of_phase(number).pore, counts.pore[number - 1])
        np.testing.assert_array_equal(found.of_phase(number).rock, counts.rock)
