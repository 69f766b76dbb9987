"""How much memory a forward pass takes, counted without a device's help."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Storages(TorchDispatchMode):
    """Adds up the memory of the tensors that are alive while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self._known: dict[int, weakref.finalize] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        place = storage._cdata
        if place in self._known and self._known[place].alive:
            return
        size = storage.nbytes()
        self._known[place] = weakref.finalize(storage, self._gone, place, size)
        self.alive += size
        self.peak = max(self.peak, self.alive)

    def _gone(self, place: int, size: int) -> None:
        self.alive -= size
        del self._known[place]


def peak_bytes(work: Callable[[], object]) -> int:
    """Most bytes of tensors that `work` made and held at one time.

    Every operation's results are counted while they are alive, on whatever device; what a kernel takes for itself in
    its course is not. Inference only: what autograd keeps is seen only where it is a result.
    """
    with torch.no_grad(), _Storages() as storages:
        work()
    return storages.peak
