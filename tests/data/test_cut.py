"""One labelled micrograph, cut into parts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data import index_dataset
from pipeline.data.cut import cut_parts
from pipeline.data.leaks import search_leaks
from pipeline.errors import UserError
from pipeline.phases import UNLABELLED


def _cells(size: tuple[int, int], phases: int, seed: int = 0) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(0, phases + 1, (-(-size[0] // 8), -(-size[1] // 8)), np.uint8)
    return np.kron(blocks, np.ones((8, 8), np.uint8))[: size[0], : size[1]]


@pytest.mark.parametrize("fractions", [{"train": 0.8, "val": 0.2}, {"train": 0.6, "val": 0.2, "test": 0.2}])
def test_parts_have_their_shares_and_a_gap(fractions: dict[str, float]):
    codes = _cells((300, 500), 2)
    covered = np.zeros(codes.shape, int)
    parts = cut_parts(codes, 2, fractions)
    assert parts.keys() == fractions.keys()
    spans = []
    for split, part in parts.items():
        inside = (slice(part.y, part.y + part.height), slice(part.x, part.x + part.width))
        covered[inside] += 1
        assert part.width * part.height / codes.size == pytest.approx(fractions[split], abs=0.05)
        spans.append((part.x, part.x + part.width) if part.height == 300 else (part.y, part.y + part.height))
    assert covered.max() == 1
    spans.sort()
    assert all(after[0] - before[1] >= 12 for before, after in pairwise(spans))


def test_every_part_gets_of_a_phase_that_lies_at_one_side():
    codes = np.zeros((400, 400), np.uint8)
    codes[:, :30] = 1
    parts = cut_parts(codes, 1, {"train": 0.8, "val": 0.2})
    for part in parts.values():
        inside = codes[part.y : part.y + part.height, part.x : part.x + part.width]
        assert (inside == 1).mean() == pytest.approx(30 / 400)


def test_shares_are_those_of_the_labelled_pixels():
    codes = np.full((400, 600), UNLABELLED, np.uint8)
    codes[100:300, 20:220] = _cells((200, 200), 1)
    parts = cut_parts(codes, 1, {"train": 0.8, "val": 0.2})
    labelled = {
        split: (codes[p.y : p.y + p.height, p.x : p.x + p.width] != UNLABELLED).sum() for split, p in parts.items()
    }
    assert labelled["val"] / sum(labelled.values()) == pytest.approx(0.2, abs=0.05)


def test_too_small_a_micrograph():
    with pytest.raises(UserError, match="the only micrograph is 60x40 pixels"):
        cut_parts(_cells((40, 60), 1), 1, {"train": 0.8, "val": 0.2})


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """A data set of one micrograph."""
    rng = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    Image.fromarray(rng.integers(1, 256, (240, 400), np.uint8)).save(tmp_path / "images" / "only.png")
    Image.fromarray(_cells((240, 400), 2)).save(tmp_path / "labels" / "only.png")
    (tmp_path / "phases.csv").write_text("value,phase\n1,pore\n2,silt\n")
    return tmp_path


def test_the_only_image_is_cut_and_all_is_that_of_its_part(one: Path):
    index = index_dataset(one)
    assert index.one_micrograph
    assert [sample.name for sample in index.samples] == ["only_train", "only_val"]
    assert {sample.source for sample in index.samples} == {"only"}
    assert any("validated on the same micrograph" in note for note in index.notes)
    label = np.asarray(Image.open(one / "labels" / "only.png"))
    image = np.asarray(Image.open(one / "images" / "only.png"))
    for sample in index.samples:
        part = sample.part
        inside = (slice(part.y, part.y + part.height), slice(part.x, part.x + part.width))
        assert sample.shape == (part.height, part.width)
        assert np.array_equal(sample.read_image(), image[inside])
        assert np.array_equal(sample.read_codes(), label[inside])
        assert sample.areas == {"pore": (label[inside] == 1).mean(), "silt": (label[inside] == 2).mean()}
    assert not search_leaks(index.samples).leaks
    assert not any(note.startswith("leak") for note in index.notes)


def test_undivided_it_stays_whole(one: Path):
    (sample,) = index_dataset(one, divide=False).samples
    assert sample.name == "only"
    assert sample.part is None


def test_parts_of_a_split_file(one: Path):
    (one / "split.csv").write_text(
        "name,source,split,part\nonly,only,train,\"0,0,300,240\"\nonly,only,val,'320,0,80,240'\n".replace("'", '"')
    )
    index = index_dataset(one)
    assert [sample.shape for sample in index.samples] == [(240, 300), (240, 80)]
    (one / "split.csv").write_text(
        'name,source,split,part\nonly,only,train,"0,0,300,240"\nonly,only,val,"320,0,81,9"\n'
    )
    with pytest.raises(UserError, match=r"the part 320,0,81,9 of split\.csv reaches beyond its 400x240 pixels"):
        index_dataset(one)
    (one / "split.csv").write_text('name,source,split,part\nonly,only,train,"0,0,300"\n')
    with pytest.raises(UserError, match=r"split\.csv: line 2 \(only\): the column part: roi '0,0,300': give x,y"):
        index_dataset(one)
