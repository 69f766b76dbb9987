from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import zarr

from pipeline.errors import UserError
from pipeline.images import open_image, open_stack, read_label
from pipeline.images.source import ImageSource
from tests.images.cases import assert_reads, noise

ZARR3 = int(zarr.__version__.split(".")[0]) >= 3
FORMATS = [2, 3] if ZARR3 else [2]


def group_at(location: Any, version: int) -> Any:
    return zarr.open_group(location, mode="w", **{"zarr_format" if ZARR3 else "zarr_version": version})


def add(group: Any, name: str, data: np.ndarray, chunks: tuple[int, ...], **options: Any) -> None:
    if ZARR3:
        group.create_array(name, shape=data.shape, dtype=data.dtype, chunks=chunks, **options)[...] = data
    else:
        group.create_dataset(name, data=data, chunks=chunks, **options)


def multiscales(axes: str, scale: list[float], unit: str | None = "nanometer") -> list[dict[str, Any]]:
    kinds = {"c": "channel", "t": "time"}
    listed = [
        {"name": a, "type": kinds.get(a, "space"), **({"unit": unit} if unit and a in "zyx" else {})} for a in axes
    ]
    levels = [
        {"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": [f * 2**n for f in scale]}]}
        for n in range(2)
    ]
    return [{"axes": listed, "datasets": levels}]


def write_ome(location: Any, image: np.ndarray, axes: str, version: int, **options: Any) -> None:
    group = group_at(location, version)
    scale = options.pop("scale", [1.0] * len(axes))
    facts = multiscales(axes, scale, options.pop("unit", "nanometer"))
    group.attrs.update({"multiscales": facts} if version == 2 else {"ome": {"version": "0.5", "multiscales": facts}})
    chunks = tuple(32 if a == "y" else 48 if a == "x" else 1 for a in axes)
    for level in range(2):
        add(group, str(level), image[..., :: 2**level, :: 2**level] if level else image, chunks)


@pytest.mark.parametrize("version", FORMATS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_ome_zarr(tmp_path: Path, version: int, dtype: str) -> None:
    image = noise((101, 131), dtype)
    write_ome(str(tmp_path / "a.zarr"), image[None, None, None], "tczyx", version, scale=[1, 1, 9, 0.005, 0.004],
              unit="micrometer")  # fmt: skip
    with open_image(tmp_path / "a.zarr") as source:
        assert_reads(source, image)
        assert source.block == (32, 48)
        assert source.pixel_size_nm == pytest.approx((5.0, 4.0))


@pytest.mark.parametrize("version", FORMATS)
def test_plain_arrays(tmp_path: Path, version: int) -> None:
    image = noise((70, 90))
    group = group_at(str(tmp_path / "a.zarr"), version)
    add(group, "only", image, (16, 90))
    for name in ("a.zarr", "a.zarr/only"):
        with open_image(tmp_path / name) as source:
            assert_reads(source, image)
            assert source.pixel_size_nm is None
    add(group, "second", image, (16, 90))
    with pytest.raises(UserError, match=r"without OME metadata that holds only, second; give an image inside"):
        open_image(tmp_path / "a.zarr")


@pytest.mark.parametrize("version", FORMATS)
def test_an_image_in_a_group_of_the_root(tmp_path: Path, version: int) -> None:
    image = noise((70, 90))
    group_at(str(tmp_path / "a.zarr"), version)
    write_ome(str(tmp_path / "a.zarr" / "0"), image, "yx", version, scale=[3, 2])
    with open_image(tmp_path / "a.zarr") as source:
        assert_reads(source, image)
        assert source.pixel_size_nm == (3, 2)
    write_ome(str(tmp_path / "a.zarr" / "1"), image, "yx", version)
    with pytest.raises(UserError, match=r"holds 2 images: 0, 1; give one of them, such as .*a\.zarr/0$"):
        open_image(tmp_path / "a.zarr")
    with open_image(tmp_path / "a.zarr" / "1") as source:
        assert_reads(source, image)


@pytest.mark.parametrize("version", FORMATS)
def test_an_image_in_groups_of_groups(tmp_path: Path, version: int) -> None:
    image, root = noise((70, 90)), tmp_path / "a.zarr"
    for group in (root, root / "A", root / "A" / "1", root / "labels"):
        group_at(str(group), version)
    write_ome(str(root / "A" / "1" / "0"), image, "yx", version)
    write_ome(str(root / "labels" / "pores"), image, "yx", version)
    with open_image(root) as source:
        assert_reads(source, image)
    write_ome(str(root / "A" / "1" / "1"), image, "yx", version)
    with pytest.raises(UserError, match=r"holds 2 images: A/1/0, A/1/1; give one of them, such as .*a\.zarr/A/1/0$"):
        open_image(root)


def test_chunks_that_are_not_stored_are_told(tmp_path: Path) -> None:
    root = tmp_path / "a.zarr"
    array = zarr.open_array(root, mode="w", shape=(80, 60), chunks=(40, 60), dtype="u1", fill_value=7)
    array[:40] = image = noise((40, 60))
    with open_image(root) as source:
        assert_reads(source, np.vstack([image, np.full_like(image, 7)]))
        assert "1 of its 2 chunks are not stored; their pixels are read as 7" in source.acquisition.warnings[0]
    assert read_label(root).shape == (80, 60)


def test_colour_and_planes(tmp_path: Path) -> None:
    colour = noise((40, 50, 3))
    group = group_at(str(tmp_path / "c.zarr"), 2)
    add(group, "rgb", colour, (16, 16, 3))
    luma = np.rint(colour @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    with open_image(tmp_path / "c.zarr") as source:
        assert_reads(source, luma)
    write_ome(str(tmp_path / "cyx.zarr"), np.moveaxis(colour, -1, 0), "cyx", 2)
    with open_image(tmp_path / "cyx.zarr") as source:
        assert_reads(source, luma)

    planes = noise((2, 3, 40, 50))
    write_ome(str(tmp_path / "tzyx.zarr"), planes, "tzyx", 2)
    with pytest.raises(UserError, match="holds 6 images"):
        open_image(tmp_path / "tzyx.zarr")
    with open_image(tmp_path / "tzyx.zarr", page=4) as source:
        assert_reads(source, planes[1, 1])
    write_ome(str(tmp_path / "zyx.zarr"), planes[0], "zyx", 2)
    stack = open_stack(tmp_path / "zyx.zarr")
    assert len(stack) == 3
    for number, source in enumerate(stack):
        assert_reads(source, planes[0, number])


@pytest.mark.skipif(not ZARR3, reason="needs zarr 3")
def test_shards_are_read_by_their_inner_chunks(tmp_path: Path) -> None:
    image = noise((128, 128))
    add(group_at(str(tmp_path / "a.zarr"), 3), "a", image, (16, 32), shards=(64, 64))
    with open_image(tmp_path / "a.zarr") as source:
        assert source.block == (16, 32)
        assert_reads(source, image)


def test_zip_and_object_store(tmp_path: Path) -> None:
    image = noise((70, 90), "uint16")
    store = zarr.storage.ZipStore(str(tmp_path / "a.zip"), mode="w")
    write_ome(store, image, "yx", 2, scale=[3, 2])
    store.close()
    write_ome("memory://scans/a.zarr", image, "yx", 2, scale=[3, 2])
    for location in (str(tmp_path / "a.zip"), "memory://scans/a.zarr"):
        with open_image(location) as source:
            assert_reads(source, image)
            assert source.pixel_size_nm == (3, 2)
            assert len(source.fingerprint()["sha256_of_samples"]) == 64
    fsspec.filesystem("memory").rm("/scans", recursive=True)
    with pytest.raises(UserError, match=r"memory://scans/a\.zarr: it can't be opened as Zarr"):
        open_image("memory://scans/a.zarr")


def test_a_protocol_that_is_not_known() -> None:
    with pytest.raises(UserError, match=r"nosuch://bucket/a\.zarr: "):
        open_image("nosuch://bucket/a.zarr")


def chunks_of(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name[0].isdigit())


@pytest.mark.parametrize("version", FORMATS)
def test_damaged_chunks_and_metadata(tmp_path: Path, version: int) -> None:
    image = noise((64, 96))
    write_ome(str(tmp_path / "a.zarr"), image, "yx", version)
    with open_image(tmp_path / "a.zarr") as source:
        before = source.fingerprint()
        assert before == source.fingerprint()
    with open_image(tmp_path / "a.zarr") as source:  # with no chunk in the cache
        folder = tmp_path / "a.zarr" / "0"
        for chunk in chunks_of(folder):
            chunk.write_bytes(chunk.read_bytes()[:7])
        with pytest.raises(UserError, match=r"a\.zarr: .*damaged in the region x 40 to 59, y 10 to 39"):
            source.read(10, 40, 30, 20)
        for metadata in tmp_path.rglob("zarr.json" if version == 3 else ".zarray"):
            metadata.write_text("{")
        with pytest.raises(UserError, match=r"a\.zarr: "):
            open_image(tmp_path / "a.zarr")


def test_a_changed_chunk_changes_the_fingerprint(tmp_path: Path) -> None:
    prints = []
    for value in (0, 1):
        image = np.zeros((64, 96), np.uint8)
        image[40, 50] = value
        write_ome(str(tmp_path / "a.zarr"), image, "yx", 2)
        source: ImageSource
        with open_image(tmp_path / "a.zarr") as source:
            prints.append(source.fingerprint()["sha256_of_samples"])
    assert prints[0] != prints[1]


def test_other_numbers_are_read_as_float_and_others_refused(tmp_path: Path) -> None:
    image = noise((8, 9)).astype(np.int32) - 100
    add(group_at(str(tmp_path / "a.zarr"), 2), "a", image, (8, 9))
    with open_image(tmp_path / "a.zarr") as source:
        assert_reads(source, image.astype(np.float32))
    add(group_at(str(tmp_path / "b.zarr"), 2), "b", image.astype(np.complex64), (8, 9))
    with pytest.raises(UserError, match="type is complex64"):
        open_image(tmp_path / "b.zarr")


def test_the_scale_has_a_source(tmp_path: Path) -> None:
    write_ome(str(tmp_path / "a.zarr"), noise((70, 90)), "yx", 2)
    with open_image(tmp_path / "a.zarr") as source:
        assert source.acquisition is not None
        assert source.acquisition.pixel_size_nm == source.pixel_size_nm
        assert source.acquisition.sources == {"pixel_size": "OME-Zarr"}


@pytest.mark.parametrize(
    ("axes", "shape", "known"),
    [("zyx", (3, 40, 50), True), ("tczyx", (1, 1, 3, 40, 50), True), ("tczyx", (1, 2, 3, 40, 50), False),
     ("tczyx", (1, 3, 1, 40, 50), False), ("cyx", (5, 40, 50), False)],
)  # fmt: skip
def test_the_distance_of_slices_along_z_alone(tmp_path: Path, axes: str, shape: tuple[int, ...], known: bool) -> None:
    scale = [{"z": 25.0, "y": 10.0, "x": 10.0}.get(axis, 1.0) for axis in axes]
    write_ome(str(tmp_path / "a.zarr"), np.zeros(shape, np.uint8), axes, 2, scale=scale)
    with open_stack(tmp_path / "a.zarr")[0] as source:
        assert source.pixel_size_nm == (10, 10)
        assert source.acquisition is not None
        assert source.acquisition.slice_spacing_nm == (25 if known else None)
