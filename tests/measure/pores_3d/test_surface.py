from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.measure.pores_3d import surface as module
from pipeline.measure.pores_3d.surface import coarse_mask, write_surface_figure
from tests.images.arrays import volume_of
from tests.measure.pores_3d.stacks import MemoryStore, stored

Drawn = tuple[np.ndarray, np.ndarray, tuple[float, float, float]]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Drawn]:
    """What is drawn: corners, triangles and the size of the stack."""
    found: list[Drawn] = []

    def draw(corners: np.ndarray, triangles: np.ndarray, size: tuple[float, float, float], *_: object) -> module.Figure:
        found.append((corners, triangles, size))
        return module.Figure()

    monkeypatch.setattr(module, "_draw", draw)
    return found


@pytest.mark.parametrize("shape", [(2, 30, 300), (40, 30, 20), (300, 17, 33), (3, 1, 1)])
def test_any_proportions(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    mask = np.zeros(shape, bool)
    mask[: shape[0] // 2] = True
    assert write_surface_figure(tmp_path / "s.png", volume_of(*mask.astype(np.uint8)), MemoryStore(mask), None)
    with Image.open(tmp_path / "s.png") as picture:
        assert 100 < picture.width < 1400
        assert 100 < picture.height < 1200
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 10


def test_a_box_is_drawn_in_its_place(tmp_path: Path, drawn: list[Drawn]) -> None:
    mask = np.zeros((12, 40, 60), bool)
    mask[3:8, 10:30, 20:50] = True
    voxel = module.Voxel.known(100.0, 500.0)
    write_surface_figure(tmp_path / "s.png", volume_of(*mask.astype(np.uint8)), MemoryStore(mask), voxel)
    corners, _, size = drawn[0]
    assert size == pytest.approx((6.0, 4.0, 6.0))  # µm
    np.testing.assert_allclose(corners.min(0), (1.5, 1.0, 2.0))  # z, y, x
    np.testing.assert_allclose(corners.max(0), (4.0, 3.0, 5.0))


def test_pores_are_closed_and_as_large_as_in_the_mask(tmp_path: Path, drawn: list[Drawn]) -> None:
    z, y, x = np.ogrid[:40, :40, :40]
    mask = (z - 20) ** 2 + (y - 20) ** 2 + (x - 20) ** 2 < 15**2
    mask[:, :3] = True  # reaches five faces
    write_surface_figure(tmp_path / "s.png", volume_of(*mask.astype(np.uint8)), MemoryStore(mask), None)
    corners, triangles, _ = drawn[0]
    first, second, third = (corners[triangles[:, place]] for place in range(3))
    # of a closed surface that is seen from outside, the divergence theorem
    volume = np.einsum("ij,ij->i", first, np.cross(second, third)).sum() / 6
    assert abs(volume) == pytest.approx(mask.sum(), rel=0.03)


def test_a_coarse_copy_keeps_the_share_of_pore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.zeros((9, 45, 70), bool)
    mask[:, :20, :40] = True
    store = stored(tmp_path, mask)
    share, cell = coarse_mask(store, 45, 4)
    assert cell == (24, 3)  # level 3 of the pyramid, and 3 x 3 of its pixels
    assert share.shape == (3, 2, 3)
    assert share[0, 0].tolist() == pytest.approx([5 / 6, 5 / 9, 0], abs=0.2)
    assert share[0, 1].tolist() == [0, 0, 0]


def test_many_triangles_are_drawn_coarser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: list[Drawn]) -> None:
    monkeypatch.setattr(module, "_CELLS", 32)
    monkeypatch.setattr(module, "_MOST_TRIANGLES", 2000)
    mask = np.zeros((32, 32, 32), bool)
    for corner in range(0, 32, 8):
        mask[corner : corner + 4] = True
    mask[:, ::4] = False
    cell = write_surface_figure(tmp_path / "s.png", volume_of(*mask.astype(np.uint8)), MemoryStore(mask), None)
    assert cell == (4, 4)
    assert len(drawn[0][1]) <= 2000


def test_nothing_is_drawn_without_pores(tmp_path: Path) -> None:
    mask = np.zeros((4, 20, 30), bool)
    mask[:, 5, 5] = True
    mask[1:3] = False
    assert write_surface_figure(tmp_path / "s.png", volume_of(*mask.astype(np.uint8)), MemoryStore(mask[:1]), None)
    assert (
        write_surface_figure(tmp_path / "t.png", volume_of(*mask.astype(np.uint8)), MemoryStore(mask & False), None)
        is None
    )
    assert not (tmp_path / "t.png").exists()
