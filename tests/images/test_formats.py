from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name

import pytest

from pipeline.images.formats import FORMATS, IMAGE_SUFFIXES, is_image, stem_of
from pipeline.images.image_file import ImageFile
from tests.paths import ROOT


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_has_a_reader_and_stands_in_the_guide(kind: str) -> None:
    assert issubclass(resolve_name(FORMATS[kind].reader), ImageFile)
    guide = (ROOT / "docs" / "guide" / "data.md").read_text("utf-8")
    assert FORMATS[kind].name in guide
    assert all(suffix in guide for suffix in FORMATS[kind].suffixes)


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_names_of_images_in_a_folder(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"depth-3.2m{suffix.upper()}"
    assert stem_of(path) == "depth-3.2m"
    if "zarr" in suffix:  # which may be something else of this name
        path.mkdir()
        assert not is_image(path)
        (path / ".zarray").touch()
    assert is_image(path)
