from __future__ import annotations

import os

import pytest

from pipeline.wording import printable, some_lines, some_of, without_passwords


def test_a_name_that_is_no_text_can_be_written() -> None:
    assert printable("Größe_東.tif") == "Größe_東.tif"
    assert printable(os.fsdecode(b"bad\xff\xfe.tif")) == "bad\\xff\\xfe.tif"


def test_some_of() -> None:
    assert some_of(["a", "b"]) == "a, b"
    assert some_of(list("abcdefg")) == "a, b, c, d, e and 2 more"


def test_some_lines() -> None:
    assert some_lines(["a", "b"], 2) == ["  a", "  b"]
    assert some_lines(["a", "b", "c"], 2) == ["  a", "  b", "  ... and 1 more"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("http://ada:s3cret@rock:5000/x", "http://ada@rock:5000/x"),
        ("postgresql+psycopg2://ada:s3/cr:et@rock/mlflow failed", "postgresql+psycopg2://ada@rock/mlflow failed"),
        ("mysql://rock/mlflow?user=ada&password=s3cret&x=1", "mysql://rock/mlflow?user=ada&password=&x=1"),
        ("http://rock:5000/runs@2", "http://rock:5000/runs@2"),
        ("sqlite:////home/a:b@c/mlflow.db", "sqlite:////home/a:b@c/mlflow.db"),
    ],
)
def test_texts_without_passwords(text: str, kept: str) -> None:
    assert without_passwords(text) == kept
