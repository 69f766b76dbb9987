"""Which file a model is read from, and what is said of those that hold none."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

import pipeline as vlsenet


def test_bundles_folders_and_what_is_no_model(model: vlsenet.Model, tmp_path: Path) -> None:
    training = tmp_path / "run" / "checkpoints"
    training.mkdir(parents=True)
    shutil.copy(model.path, training / "best.pt")
    assert vlsenet.load(tmp_path / "run").path == training / "best.pt"
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as bundle:
        bundle.write(model.path, "vlsenet/models/model.pt")
    zipped = vlsenet.load(tmp_path / "bundle.zip", device="cpu")
    assert zipped.path == tmp_path / "bundle.zip" / "vlsenet" / "models" / "model.pt"
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        vlsenet.UserError, match=r"empty: no model in this folder .*; give best.pt of a training, or `default`"
    ):
        vlsenet.load(tmp_path / "empty")
    with pytest.raises(vlsenet.UserError, match="no such file"):
        vlsenet.load(tmp_path / "none.pt")


def test_which_model_of_several(model: vlsenet.Model, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    for name in ("a.pt", "b.pt"):
        shutil.copy(model.path, tmp_path / "models" / name)
    with pytest.raises(vlsenet.UserError, match=r"which model\? It holds a.pt, b.pt; give the file"):
        vlsenet.load(tmp_path)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as bundle:
        for name in ("a.pt", "b.pt"):
            bundle.write(model.path, f"x/models/{name}")
    with pytest.raises(vlsenet.UserError, match=r"two.zip: which model\? It holds x/models/a.pt, x/models/b.pt"):
        vlsenet.load(tmp_path / "two.zip")


def test_damaged_models_are_told_by_the_file_that_the_user_has(model: vlsenet.Model, tmp_path: Path) -> None:
    content = model.path.read_bytes()
    with zipfile.ZipFile(tmp_path / "short.zip", "w") as bundle:
        bundle.writestr("x/models/model.pt", content[:1000])
    with zipfile.ZipFile(tmp_path / "whole.zip", "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("x/models/model.pt", content)
    packed = bytearray((tmp_path / "whole.zip").read_bytes())
    packed[len(packed) // 2] ^= 255
    (tmp_path / "changed.zip").write_bytes(packed)
    for name, place, value in (("locked.zip", 8, 1), ("odd.zip", 10, 97)):  # password; a compression that zipfile lacks
        foreign = bytearray((tmp_path / "whole.zip").read_bytes())
        for header in (place - 2, foreign.rindex(b"PK\x01\x02") + place):  # of the file, and in the list at the end
            foreign[header] = value
        (tmp_path / name).write_bytes(foreign)
    (tmp_path / "best.pt").write_bytes(b"")
    for file, message in (
        ("short.zip", r"short.zip/x/models/model.pt can't be read .*truncated"),
        ("changed.zip", r"changed.zip: x/models/model.pt can't be unpacked .*copy the file again"),
        (
            "locked.zip",
            r"locked.zip: x/models/model.pt can't be unpacked here .*password.*unpack it with another program",
        ),
        ("odd.zip", r"odd.zip: x/models/model.pt can't be unpacked here .*compression.*unpack it with another program"),
        ("", r"best.pt can't be read .*empty.*, or `default` for the model that comes with vlsenet"),
    ):
        with pytest.raises(vlsenet.UserError, match=message):
            vlsenet.load(tmp_path / file)
