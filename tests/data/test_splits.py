from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.splits import SourceSize, read_split_csv, sources_by_pattern, stratified_split
from pipeline.errors import UserError

NAMES = {"a_1", "a_2", "b_1", "depth-1.2m"}


def _read(tmp_path: Path, content: str | bytes):
    path = tmp_path / "split.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_split_csv(path, NAMES)


def test_plain_csv(tmp_path: Path) -> None:
    table = _read(tmp_path, "name,source,split\na_1,a,train\na_2,a,train\nb_1,b,val\ndepth-1.2m,d,test\n")
    assert not table.problems
    assert table.rows == {
        "a_1": ("a", "train"),
        "a_2": ("a", "train"),
        "b_1": ("b", "val"),
        "depth-1.2m": ("d", "test"),
    }


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_people_and_excel_write(tmp_path: Path, delimiter: str) -> None:
    rows = [
        " Split ,NAME, source,comment",
        "Train,images\\a_1.TIF , a,x",
        "",
        ' val,"b_1.nii.gz",b',
        "test,depth-1.2m,d,",
        ",,,",
    ]
    content = "\ufeff" + "\r\n".join(rows).replace(",", delimiter)
    table = _read(tmp_path, content)
    assert not table.problems
    assert table.rows == {"a_1": ("a", "train"), "b_1": ("b", "val"), "depth-1.2m": ("d", "test")}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("form", ["plain", "quoted", "sep line", "empty columns", "lines in quotes", "bar"])
def test_what_spreadsheets_write(tmp_path: Path, encoding: str, end: str, form: str) -> None:
    rows = [("name", "source", "split"), ("a_1", "a", "train"), ("b_1", "b", "val")]
    lines = {
        "plain": [",".join(row) for row in rows],
        "quoted": [";".join(f'"{cell}"' for cell in row) for row in rows],
        "sep line": ["sep=;", *(";".join(row) for row in rows)],
        "empty columns": [",,,,", *("," + ",".join(row) + ",,\xa0" for row in rows), ",,,,,"],
        "lines in quotes": ['"' + ",".join(row) + '"' for row in rows],
        "bar": [" | ".join(row) for row in rows],
    }[form]
    table = _read(tmp_path, end.join([*lines, "\0\x1a" if form == "plain" else ""]).encode(encoding))
    assert not table.problems
    assert table.rows == {"a_1": ("a", "train"), "b_1": ("b", "val")}


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("Gr\xf6\xdfe 1", "cp1252"),
        ("Gr\xf6\xdfe 1", "mac_roman"),
        ("Gr\xf6\xdfe 1", "cp850"),
        ("\u5ca9\u77f3 1", "gb18030"),
        ("\u5ca9\u77f3 1", "cp932"),
        ("\u043e\u0431\u0440\u0430\u0437\u0435\u0446", "cp1251"),
        ("\ubc14\uc704", "cp949"),
    ],
)
def test_the_names_show_the_encoding(tmp_path: Path, name: str, encoding: str) -> None:
    path = tmp_path / "split.csv"
    path.write_bytes(f"name;source;split\r\n{name}.tif;{name};train\r\n".encode(encoding))
    table = read_split_csv(path, {name, "other"})
    assert not table.problems
    assert table.rows == {name: (name, "train")}


def test_a_name_with_a_backslash_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("name,source,split\na\\b,s,train\nimages\\c.tif,t,val\n")
    assert read_split_csv(tmp_path / "split.csv", {"a\\b", "c"}).rows == {"a\\b": ("s", "train"), "c": ("t", "val")}


@pytest.mark.parametrize(
    ("rows", "message", "fatal"),
    [
        ("a_1,a,training", "line 2 (a_1): the split 'training' is unknown", True),
        ("zz,a,train", "line 2 (zz): no image or label of this name", False),
        ("a_1,,train", "line 2 (a_1): the source is empty", True),
        (",a,train", "line 2 (no name): the name is empty", True),
        ("a_1,a,train\na_1,a,val", "line 3 (a_1): this image already has source a, split train", True),
        ("a_1,a,train\na_2,a,val", "source a is in train and val", True),
    ],
)
def test_wrong_rows(tmp_path: Path, rows: str, message: str, fatal: bool) -> None:
    problems = _read(tmp_path, f"name,source,split\n{rows}\nb_1,b,val\n").problems
    assert [problem.what for problem in problems] == [message]
    assert problems[0].fatal is fatal


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "name,source,split is missing|name, source, split is missing"),
        ("name,split\na_1,train\n", "source is missing"),
        ("name,source,split\n", "no rows"),
        ("PK\3\4\0\0", "spreadsheet program's own file"),
        ("name,source,split\n" + "x" * 200_000, "line 2: it is not CSV"),
    ],
)
def test_wrong_file(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        _read(tmp_path, content)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"^(\d+)_", "11"),
        (r"_(?P<other>\d+)(?P<source>[a-z])", "x"),
        (r"^\d+", "11"),
        (r"^(\d+)_24x\.png$", "11"),
    ],
)
def test_pattern(pattern: str, expected: str) -> None:
    assert sources_by_pattern({"11_24x": Path("images/11_24x.png")}, pattern) == {"11_24x": expected}


def test_pattern_errors() -> None:
    files = {name: Path(f"{name}.png") for name in ("11_1", "well")}
    with pytest.raises(UserError, match=r"1 of 2 file names.*well\.png"):
        sources_by_pattern(files, r"^(\d+)_")
    with pytest.raises(UserError, match=r"\(\\d: not a regular expression"):
        sources_by_pattern(files, r"(\d")
    with pytest.raises(UserError, match=r"well\.png"):  # a group that takes no part gives no source
        sources_by_pattern(files, r"(\d+)?_?\w")


SOURCES = st.dictionaries(
    st.text("abcdefgh0123", min_size=1, max_size=4),
    st.tuples(st.integers(100, 10_000), st.floats(0, 1)).map(lambda t: SourceSize(t[0], (int(t[0] * t[1]),))),
    min_size=3,
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(SOURCES, st.integers(0, 3), st.randoms())
def test_split_is_whole_and_independent_of_order(sources: dict, seed: int, shuffle) -> None:
    fractions = {"train": 0.6, "val": 0.2, "test": 0.2}
    split_of = stratified_split(sources, fractions, seed)
    assert split_of.keys() == sources.keys()
    assert set(split_of.values()) == {"train", "val", "test"}
    items = list(sources.items())
    shuffle.shuffle(items)
    assert stratified_split(dict(items), fractions, seed) == split_of


@settings(max_examples=40, deadline=None)
@given(SOURCES)
def test_val_is_as_near_to_a_fifth_as_one_source_allows(sources: dict) -> None:
    split_of = stratified_split(sources)
    total = sum(size.pixels for size in sources.values())
    val = sum(sources[source].pixels for source, split in split_of.items() if split == "val")
    assert abs(val - 0.2 * total) <= max(size.pixels for size in sources.values())


def test_porosity_is_alike_on_both_sides() -> None:
    sources = {f"s{i:02}": SourceSize(1000, (10 * i,)) for i in range(50)}
    split_of = stratified_split(sources)
    porosities = {split: [sources[s].area(0) for s in sources if split_of[s] == split] for split in ("train", "val")}
    assert len(porosities["val"]) == 10
    means = {split: sum(p) / len(p) for split, p in porosities.items()}
    assert means["val"] == pytest.approx(means["train"], rel=0.03)
    assert min(porosities["val"]) < 0.12
    assert max(porosities["val"]) > 0.37


def test_the_default_split_stays_what_it_is() -> None:
    """A run that is repeated years later must validate on the same images."""
    sources = {f"s{i}": SourceSize(1000 + 37 * i, (100 * (i * 7 % 10),)) for i in range(10)}
    val = [source for source, split in stratified_split(sources).items() if split == "val"]
    assert val == ["s3", "s4"]
    assert any(stratified_split(sources, seed=s) != stratified_split(sources) for s in range(1, 6))


def test_too_few_sources() -> None:
    with pytest.raises(UserError, match=r"only one source \(a\).*split\.csv"):
        stratified_split({"a": SourceSize(10, (1,))})
    two = {"a": SourceSize(10, (1,)), "b": SourceSize(10, (1,))}
    with pytest.raises(UserError, match="only 2 sources, but train and val and test"):
        stratified_split(two, {"train": 0.6, "val": 0.2, "test": 0.2})
