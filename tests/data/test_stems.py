from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from pipeline.data.pairs import matching_stems, pair_files


@pytest.mark.parametrize(
    ("images", "labels", "expected"),
    [
        ("a b", "a_mask b_mask", {"a_mask": "a", "b_mask": "b"}),
        ("a_1 b_1", "label-a_1 label-b_1", {"label-a_1": "a_1", "label-b_1": "b_1"}),
        ("a a_b", "a_b_gt a_gt", {"a_gt": "a", "a_b_gt": "a_b"}),
        ("a b c", "a_mask", {"a_mask": "a"}),
        ("Rock_1 b", "rock_1 B", {"rock_1": "Rock_1", "B": "b"}),
        ("Rock rock2", "rock ROCK", {}),  # which of the two?
        ("rock Rock", "ROCK", {}),
        ("a b", "amask bmask", {}),  # no separator: a name, not a word
        ("a b", "a_mask c_mask", {}),
        ("a b", "a_mask b_label", {}),
        ("a", "", {}),
    ],
)
def test_names_that_differ_a_little(images: str, labels: str, expected: dict[str, str]) -> None:
    assert matching_stems(set(images.split()), set(labels.split()))[0] == expected


def test_a_data_set_named_so(tmp_path: Path) -> None:
    names = {"M\u00fcller 10": unicodedata.normalize("NFD", "M\u00fcller 10"), "b": "b_mask", "c": "c_mask"}
    for image, label in names.items():
        for folder, name in (("images", image), ("labels", label)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.new("L", (20, 20)).save(tmp_path / folder / f"{name}.png")
    pairing = pair_files(tmp_path)
    assert [pair.name for pair in pairing.pairs] == ["M\u00fcller 10", "b", "c"]
    assert not pairing.problems
    assert pairing.notes == (
        "labels/: 2 labels with '_mask' in their names are matched with their images, such as b_mask.png for b.png",
    )
