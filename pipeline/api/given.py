"""What a Python user gives, arrays and paths, as the package takes it, or a message that says what to give."""

from __future__ import annotations

import logging
import os
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from pipeline.errors import UserError, first_line

logger = logging.getLogger("vlsenet")

#: types of numbers that NumPy lacks
_WIDENED = (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)


def path_given(path: Any, argument: str, instead: str) -> str:
    """A path as text.

    Args:
        path: as it was given.
        argument: its name.
        instead: what to do in place of giving something else.

    Raises:
        UserError: it is no path, or an empty one.
    """
    if not isinstance(path, (str, os.PathLike)) or isinstance(text := os.fspath(path), bytes):
        raise UserError(f"{argument} takes a path, not {type(path).__name__}; {instead}")
    if not text or "\0" in text:
        raise UserError(f"{argument}={text!r}: no path; {instead}")
    return text


def array_given(values: Any, name: str) -> np.ndarray:
    """The numbers of NumPy, of torch, or of what NumPy takes for an array.

    Args:
        values: as they were given.
        name: for messages.

    Raises:
        UserError: they are no array.
    """
    if isinstance(values, (str, bytes, os.PathLike)):
        raise UserError(f"{name} is {reprlib.repr(values)}, but an array is needed; give the paths of files to segment")
    try:
        array = _of_tensor(values) if isinstance(values, torch.Tensor) else np.asarray(values)
    except Exception as error:  # of every type
        raise UserError(f"{name} can't be read as an array ({first_line(error)}); give NumPy or torch") from error
    if not array.ndim:
        raise UserError(f"{name} is {reprlib.repr(values)}, but an array is needed, NumPy or torch")
    return array


def image_given(image: Any, name: str, stack: bool = False) -> np.ndarray:
    """An image (H, W), or a stack (D, H, W).

    Args:
        image: NumPy or torch, (H, W) or (1, H, W); of a stack (D, H, W).
        name: for messages.
        stack: it is one.

    Raises:
        UserError: it is no array, has another shape, or masked pixels.
    """
    if np.ma.is_masked(image):
        raise UserError(
            f"{name} has masked pixels, which would count as rock; fill them with a grey value, or crop them off"
        )
    array = array_given(image, name)
    if array.ndim == 3 and array.shape[0] == 1 and not stack:
        array = array[0]
    if array.ndim != (3 if stack else 2):
        wanted = "(D, H, W)" if stack else "(H, W), or several to predict_batch"
        raise UserError(f"{name} has the shape {array.shape}: give {wanted}; grey values, as colours are not read")
    if stack and len(array) < 2:
        raise UserError(
            f"{name} has the shape {array.shape}: a stack has two or more slices; without stack, give (H, W)"
        )
    return array.astype(np.uint8) if array.dtype == bool else array


def images_given(images: Any) -> list[np.ndarray]:
    """The images (H, W) of a batch.

    Raises:
        UserError: they are none, or one of them is none.
    """
    remedy = "give (N, H, W), (N, 1, H, W), or a list of images (H, W)"
    if isinstance(images, (str, bytes, os.PathLike)) or not isinstance(images, Iterable):
        raise UserError(f"predict_batch takes arrays, not {reprlib.repr(images)}; {remedy}, and paths to segment")
    if (shape := getattr(images, "shape", None)) is not None and len(shape) not in (3, 4):
        what = "one image; give it to predict, or" if len(shape) == 2 else "no batch;"
        raise UserError(f"images has the shape {tuple(shape)}, which is {what} {remedy}")
    return [image_given(one, f"image {number}") for number, one in enumerate(images)]


def mask_given(values: Any, name: str, value: Any = None) -> np.ndarray:
    """Truth values (D, H, W).

    Args:
        values: NumPy or torch, (H, W) or of a stack (D, H, W).
        name: for messages.
        value: which of them is true; None: all that are not 0.

    Raises:
        UserError: they are no mask, or have another shape.
    """
    array, value = array_given(values, name), plain(value)
    if array.ndim not in (2, 3) or not array.size:
        raise UserError(f"{name} has the shape {array.shape}; give (H, W), or of a stack (D, H, W)")
    if array.ndim == 3 and array.shape[-1] in (3, 4) and min(array.shape[:2]) > array.shape[-1]:
        raise UserError(f"{name} has the shape {array.shape}, as an image in colour; give one channel, (H, W)")
    if array.dtype.kind not in "biuf":
        raise UserError(f"{name} has the type {array.dtype}; give truth values or whole numbers")
    if np.ma.is_masked(values) or (array.dtype.kind == "f" and np.isnan(array).any()):
        raise UserError(f"{name} has pixels that are masked or NaN; set them to 0, and leave them out by rock=...")
    if array.dtype.kind == "f" and (broken := array[array != np.round(array)]).size:
        raise UserError(
            f"{name} holds {broken.flat[0]:.4g}: a mask has truth values or whole numbers; of a probability give "
            "probability >= 0.5"
        )
    if value is not None and not isinstance(value, (bool, int, float)):
        raise UserError(f"value={reprlib.repr(value)}: give one number, that of the phase in an image of labels")
    truth: np.ndarray = array != 0 if value is None else array == value
    if value is None and array.dtype.kind != "b" and len(there := array[truth]) and there.min() != there.max():
        values_there = f"from {there.min():.4g} to {there.max():.4g}"
        logger.warning("%s has several values other than 0 (%s), and all of them count", name, values_there)
    return truth if array.ndim == 3 else truth[None]


def plain(value: Any) -> Any:
    """A single number of NumPy or torch as one of Python, also as a value of a mapping; all else as it is."""
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, (np.generic, np.ndarray, torch.Tensor)) and not value.ndim:
        return value.item()
    return value


def _of_tensor(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    tensor = tensor.to_dense().resolve_conj().resolve_neg().cpu()
    array: np.ndarray = (tensor.float() if tensor.dtype in _WIDENED else tensor).numpy()
    return array
