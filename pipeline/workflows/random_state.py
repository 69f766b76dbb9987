"""The random states of a training, so that a resumed one goes on as if it had never stopped."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from monai.transforms import Compose, Randomizable


class RandomState:
    """Random states of Python, NumPy, torch, CUDA and every random transform, as a state dict of plain values.

    Restore it between two epochs. With loader workers the transforms' own states do not matter: workers are seeded
    anew each epoch from torch's state, which is here.

    Args:
        transforms: the random transforms of the training data.
    """

    def __init__(self, transforms: Compose) -> None:
        self._transforms = list(_randomizables(transforms))

    def state_dict(self) -> dict[str, Any]:
        version, keys, gauss = random.getstate()
        return {
            "python": [version, list(keys), gauss],
            "numpy": _pack(np.random.get_state()),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "transforms": [_pack(transform.R.get_state()) for transform in self._transforms],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the states.

        Raises:
            ValueError: when the state was taken with other transforms.
        """
        if len(state["transforms"]) != len(self._transforms):
            raise ValueError("the random transforms are not those of the interrupted training")
        version, keys, gauss = state["python"]
        random.setstate((version, tuple(keys), gauss))
        np.random.set_state(_unpack(state["numpy"]))
        torch.set_rng_state(state["torch"].cpu())
        if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([cuda.cpu() for cuda in state["cuda"]])
        for transform, packed in zip(self._transforms, state["transforms"], strict=True):
            transform.R.set_state(_unpack(packed))


def _randomizables(transform: Any) -> Iterator[Randomizable]:
    """Each random transform once, the array transforms inside dictionary transforms too."""
    seen: set[int] = set()
    stack = [transform]
    while stack:
        item = stack.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Randomizable):
            yield item
        if isinstance(item, (list, tuple)):
            stack.extend(item)
        elif hasattr(item, "__dict__") and type(item).__module__.startswith(("monai", "pipeline")):
            stack.extend(vars(item).values())


def _pack(state: Any) -> dict[str, Any]:
    """NumPy's Mersenne twister state in values that ``torch.load(weights_only=True)`` accepts."""
    _, keys, position, has_gauss, cached = state
    return {
        "keys": torch.from_numpy(keys.astype(np.int64)),
        "position": int(position),
        "has_gauss": int(has_gauss),
        "cached": float(cached),
    }


def _unpack(packed: dict[str, Any]) -> tuple:
    keys = packed["keys"].cpu().numpy().astype(np.uint32)
    return ("MT19937", keys, packed["position"], packed["has_gauss"], packed["cached"])
