from __future__ import annotations

import os

from pipeline.wording import printable, some_lines, some_of


def test_a_name_that_is_no_text_can_be_written() -> None:
    assert printable("Größe_東.tif") == "Größe_東.tif"
    assert printable(os.fsdecode(b"bad\xff\xfe.tif")) == "bad\\xff\\xfe.tif"


def test_some_of() -> None:
    assert some_of(["a", "b"]) == "a, b"
    assert some_of(list("abcdefg")) == "a, b, c, d, e and 2 more"


def test_some_lines() -> None:
    assert some_lines(["a", "b"], 2) == ["  a", "  b"]
    assert some_lines(["a", "b", "c"], 2) == ["  a", "  b", "  ... and 1 more"]
