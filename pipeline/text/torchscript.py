"""The tensors of a TorchScript archive, as OpenAI's own CLIP files are, read without running what else it holds.

`torch.jit.load` runs code of the archive (a module's `__setstate__`), which can write any file of the user's.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor


def is_torchscript(file: Path) -> bool:
    """Whether PyTorch's reader would take a file for TorchScript: by `constants.pkl` at the archive's root alone."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return f"{_root(archive)}/constants.pkl" in archive.namelist()


def read_torchscript(file: Path) -> dict[str, Tensor]:
    """The parameters and buffers of an archive, under the names of its module's `state_dict`.

    Raises:
        Exception: of many kinds, where the archive is damaged or refers to anything but modules and tensors.
    """
    with zipfile.ZipFile(file) as archive, archive.open(f"{_root(archive)}/data.pkl") as stream:
        module = _Reader(stream, archive).load()
    if not isinstance(module, _Module):
        raise pickle.UnpicklingError("it holds no module")
    return dict(module.tensors())


def _root(archive: zipfile.ZipFile) -> str:
    """The folder that all of PyTorch's records lie in: that of the first."""
    return next(iter(archive.namelist()), "").split("/")[0]


class _Module:
    """What is left of a module: its attributes."""

    def __init__(self) -> None:
        self._attributes: dict[str, Any] = {}

    def __setstate__(self, state: object) -> None:
        self._attributes = state if isinstance(state, dict) else {}

    def tensors(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        for name, value in self._attributes.items():
            if isinstance(value, Tensor):
                yield f"{prefix}{name}", value
            elif isinstance(value, _Module):
                yield from value.tensors(f"{prefix}{name}.")


class _Reader(pickle.Unpickler):
    """Knows modules, tensors and plain values, and refuses every other name, so that nothing of the file's is called.

    Args:
        stream: `data.pkl`.
        archive: holds the tensors' values beside it.
    """

    def __init__(self, stream: BinaryIO | Any, archive: zipfile.ZipFile) -> None:
        super().__init__(stream)
        self._archive = archive
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            return _Module
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _strided
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle":  # lists and dictionaries with their type beside them
            return _plain
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> Tensor:
        _, dtype, key, _, _ = pid
        if key not in self._storages:
            content = bytearray(self._archive.read(f"{_root(self._archive)}/data/{key}"))
            self._storages[key] = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        return self._storages[key]


def _strided(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Tensor:
    return torch.as_strided(storage, size, stride, offset)


def _plain(value: object, *_: object) -> object:
    return value


_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
