"""Values of options that stand for something: files, folders, stores, devices, pixel sizes, phases, parts of scans."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import UserError
from pipeline.options.kinds import Kind, Number


def _size_or_name(text: str) -> float | str:
    """A number, or a word, of which `PixelSize` says what is wrong."""
    return text if any(letter.isalpha() for letter in text) else float(text)


_size_or_name.__name__ = "float"  # argparse names it: "invalid float value"


@dataclass(frozen=True)
class PixelSize(Number):
    """Side of a pixel in nm, or `scale-bar`: as the bar drawn in the image says."""

    metavar = "NM|scale-bar"
    drawn = "scale-bar"

    read = staticmethod(_size_or_name)  # type: ignore[assignment]

    def problem(self, value: Any) -> str | None:
        if value != self.drawn:
            problem = super().problem(value)
            return problem and f"{problem}, or {self.drawn}"
        from pipeline.images.microscope.text_recognition import INSTALL, can_read_text

        return None if can_read_text() else f"needs a library that reads text: {INSTALL}"


@dataclass(frozen=True)
class Existing(Kind):
    """A path to something that is there.

    Attributes:
        what: it must be, in words.
        is_right: whether a path is that.
        example: of a path.
    """

    what: str = "a file"
    is_right: Callable[[Path], bool] = Path.is_file
    example: str = ""
    metavar = "FILE"
    is_text = True

    def check(self, name: str, value: Any) -> None:
        path = Path(str(value))
        if not path.exists():
            raise UserError(f"--{name} {value}: no such file or folder; give {self.what}")
        if not self.is_right(path):
            raise UserError(f"--{name} {value} is not {self.what}")


def _number_or_word(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


@dataclass(frozen=True)
class OneOrMore(Existing):
    """One path as `Existing` takes it, or a list of them."""

    def check(self, name: str, value: Any) -> None:
        for one in value if isinstance(value, (list, tuple)) and value else (value,):
            super().check(name, one)


@dataclass(frozen=True)
class Phases(Kind):
    """Names of phases with their label values."""

    metavar = "NAME=K,..."
    is_text = True

    def check(self, name: str, value: Any) -> None:
        from pipeline.label_values import parse_phases

        parse_phases(str(value))


@dataclass(frozen=True)
class LabelValue(Kind):
    """A label value, some between commas, or none."""

    metavar = "K|none"
    read = staticmethod(_number_or_word)

    def check(self, name: str, value: Any) -> None:
        from pipeline.label_values import parse_unlabelled

        parse_unlabelled(",".join(map(str, value)) if isinstance(value, (list, tuple)) else value)


@dataclass(frozen=True)
class OutputFolder(Kind):
    """A folder that exists, or can be made."""

    what: str = "a folder for the results"
    example: str = "runs/my_rock"
    metavar = "DIR"
    is_text = True

    def problem(self, value: Any) -> str | None:
        path = Path(str(value)).absolute()
        there = next(parent for parent in (path, *path.parents) if os.path.lexists(parent))
        if not there.exists():
            return f"{there} is a link that leads nowhere; remove it, or give another folder for the results"
        if not there.is_dir():
            return f"{there} is a file; give {self.what}"
        if not os.access(there, os.W_OK | os.X_OK):
            return f"no permission to write to {there}; give another folder for the results"
        return None


@dataclass(frozen=True)
class Store(Kind):
    """The address of an MLflow store; folders (`./mlruns`) no longer are one.

    Attributes:
        or_none: the word `none` is allowed, too.
    """

    or_none: bool = False
    metavar = "URI"
    is_text = True
    schemes = ("sqlite", "postgresql", "mysql", "mssql", "http", "https", "databricks")

    def problem(self, value: Any) -> str | None:
        if self.or_none and value == "none":
            return None
        if urlsplit(str(value)).scheme.split("+")[0] in self.schemes:
            return None
        return (
            "not an MLflow store; give sqlite:///FILE.db or the address of a server, such as http://localhost:5000 "
            "(MLflow no longer keeps runs in plain folders)"
        )


@dataclass(frozen=True)
class Device(Kind):
    """A device of PyTorch's."""

    metavar = "NAME"

    def problem(self, value: Any) -> str | None:
        import torch

        try:
            device = torch.device(value)
        except (RuntimeError, TypeError):
            return "unknown device; give cpu or cuda:0"
        if device.type == "cuda":
            return _no_such_gpu(device.index or 0, torch.cuda.device_count())
        try:
            torch.ones(1, device=device).cpu()
        except Exception:  # of every type, by the kind of device
            return "PyTorch can't compute there; give cpu"
        return None


def _no_such_gpu(index: int, count: int) -> str | None:
    if index < count:
        return None
    if not count:
        return "PyTorch finds no CUDA GPU; give cpu"
    if count == 1:
        return "PyTorch finds one CUDA GPU; give cuda:0 or cpu"
    return f"PyTorch finds {count} CUDA GPUs; give cuda:0 to cuda:{count - 1}, or cpu"


@dataclass(frozen=True)
class InfoBar(Kind):
    """What to do with the microscope's info bar."""

    metavar = "auto|keep|PX|top:PX"
    read = staticmethod(_number_or_word)

    def check(self, name: str, value: Any) -> None:
        from pipeline.images.microscope.bar_choice import bar_chosen

        bar_chosen(value)


@dataclass(frozen=True)
class Region(Kind):
    """A part of a scan."""

    metavar = "X,Y,W,H"

    def check(self, name: str, value: Any) -> None:
        from pipeline.images.rectangles import Roi

        Roi.of(value)


@dataclass(frozen=True)
class Widths(Kind):
    """Widths of a network."""

    metavar = "LIST"

    def check(self, name: str, value: Any) -> None:
        from pipeline.networks import check_features

        try:
            check_features(value)
        except UserError as error:
            raise UserError(f"--{error}") from error
