from __future__ import annotations

from pipeline.wording import some_lines, some_of


def test_some_of() -> None:
    assert some_of(["a", "b"]) == "a, b"
    assert some_of(list("abcdefg")) == "a, b, c, d, e and 2 more"


def test_some_lines() -> None:
    assert some_lines(["a", "b"], 2) == ["  a", "  b"]
    assert some_lines(["a", "b", "c"], 2) == ["  a", "  b", "  ... and 1 more"]
