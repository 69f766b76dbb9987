from __future__ import annotations

import pytest

from pipeline.errors import UserError
from pipeline.wording import check_name, nearest


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("segmnt", "segment"),
        ("Random", "random"),
        ("over", "overwrite"),
        ("overwritten", "overwrite"),
        ("", None),
        ("xyz", None),
        (3, None),
    ],
)
def test_the_name_that_was_meant(name: object, meant: str | None) -> None:
    assert nearest(name, ["random", "segment", "overwrite"]) == meant


def test_an_unknown_name_is_refused_with_all_that_there_are() -> None:
    assert check_name("colour", "red", ["red", "green"]) == "red"
    with pytest.raises(UserError, match=r"^unknown colour 'gren': did you mean green\? choose from red, green$"):
        check_name("colour", "gren", iter(["red", "green"]))
    with pytest.raises(UserError, match=r"^unknown colour 'xyz': choose from red, green$"):
        check_name("colour", "xyz", ["red", "green"])
