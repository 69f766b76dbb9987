from __future__ import annotations

from fnmatch import fnmatch

from pipeline.measure.object_files import PATTERNS, PORE_FILES, object_files


def test_files_are_named_after_their_phase() -> None:
    silt, pore = object_files(["silt grain", "pore"])
    assert pore == PORE_FILES
    assert silt.table == "objects_silt_grain"
    assert silt.bodies == "objects_silt_grain_3d"
    assert silt.figures == "silt_grain_"


def test_all_names_differ_and_are_files_on_any_disk() -> None:
    phases = ["pore", "a/b", "a b", "A:B", "..", "クレイ", "x" * 300, "x" * 301]
    names = [name for files in object_files(phases) for name in files.names]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(len(name.encode()) < 255 for name in names)
    assert not any(set(name) & set(' :*?"<>|\\') or ".." in name for name in names)
    own = [name for files in object_files(phases)[1:] for name in files.names]
    assert all(any(fnmatch(name, pattern) for pattern in PATTERNS) for name in own)
