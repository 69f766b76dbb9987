"""Printed text in small pictures, read by RapidOCR, which brings its model along."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

#: how to install what reads text
INSTALL = "pip install '.[scale_bar]'"
#: height of the pictures that the model was trained on (px)
_MODEL_HEIGHT = 48


def can_read_text() -> bool:
    """Whether the library that reads text is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("rapidocr", "onnxruntime"))


def read_text(picture: np.ndarray) -> tuple[str, float]:
    """Read one line of text.

    Args:
        picture: grey values from 0 to 1 (H, W) of the line and a little ground around it.

    Returns:
        The text, empty where there is none, and how certain it is, from 0 to 1.
    """
    height, width = picture.shape
    grey = Image.fromarray(np.uint8(np.clip(picture, 0, 1) * 255))
    grey = grey.resize((max(8, round(width * _MODEL_HEIGHT / height)), _MODEL_HEIGHT), Image.Resampling.BICUBIC)
    colours = np.repeat(np.asarray(grey)[:, :, None], 3, axis=2)
    answer = _engine()(colours, use_det=False, use_cls=False, use_rec=True)
    return (str(answer.txts[0]), float(answer.scores[0])) if answer.txts else ("", 0.0)


@lru_cache(maxsize=1)
def _engine() -> Any:
    from rapidocr import RapidOCR

    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    return RapidOCR(params={"Global.log_level": "error", "Global.text_score": 0.0, **threads})
