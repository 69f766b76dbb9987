"""How many kernels a GPU is asked for in one forward pass, VLSE-Net against U-Net; no GPU is needed.

    python benchmarks/kernel_counts.py --presets small

A GPU computes most of these networks' kernels in less time than Python takes to ask for them, so that their number is
the time, unless a compiler or a CUDA graph asks for them together. Counted are PyTorch's operations that write a
tensor, on tensors without content (`FakeTensorMode`) that say they lie on a GPU: a convolution with its bias is one, a
view is none. What an operation launches inside (a workspace set to zero, two kernels for one) is not seen.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from networks import make
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.networks import NETWORKS, inference_form, pin_statistics
from pipeline.networks.inference import InPrecision

DEVICE = "cuda"
#: they write nothing, or are asked for by the counting itself
FREE = ("empty", "detach", "alias", "lift_fresh", "_unsafe_view", "device", "promote_types")
#: one kernel on a GPU, which PyTorch takes apart where it sees none
ATTENTION = "scaled_dot_product_attention"
FORMS = ("as it is", "pinned, norms folded", "for one text")


class _Counting(TorchDispatchMode):
    """Counts operations that are no views, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.paused = False

    @contextmanager
    def attention_as_one(self) -> Iterator[None]:
        """Meanwhile what attention is taken apart into is not counted, but itself."""
        parts = getattr(F, ATTENTION)

        def whole(*given: Any, **named: Any) -> torch.Tensor:
            self.counts[ATTENTION] += 1
            self.paused = True
            try:
                result: torch.Tensor = parts(*given, **named)
            finally:
                self.paused = False
            return result

        setattr(F, ATTENTION, whole)
        try:
            yield
        finally:
            setattr(F, ATTENTION, parts)

    def __torch_dispatch__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        name = function.name().split("::")[-1].split(".")[0]
        if not self.paused and not function.is_view and not name.startswith(FREE):
            self.counts[name] += 1
        result = function(*given, **(named or {}))
        if name == "convolution" and _channels_last(given[1]):  # cuDNN keeps to that order; there is none here
            result = torch.empty_like(result, memory_format=torch.channels_last)
        return result


def _channels_last(weight: torch.Tensor) -> bool:
    return weight.is_contiguous(memory_format=torch.channels_last)


@contextmanager
def _bfloat16() -> Iterator[None]:
    """Autocast as on a GPU; `torch.autocast` turns itself off where there is none."""
    torch.set_autocast_dtype(DEVICE, torch.bfloat16)
    torch.set_autocast_enabled(DEVICE, True)
    try:
        yield
    finally:
        torch.set_autocast_enabled(DEVICE, False)


def counted(run: Callable[[], object]) -> Counter[str]:
    """Operations of a call, when what a first call keeps is there."""
    with torch.no_grad(), _bfloat16():
        run()
        with _Counting() as counting, counting.attention_as_one():
            run()
    return counting.counts


def counts_of(name: str, preset: str, size: int, batch: int = 1) -> dict[str, Counter[str]]:
    """Operations of a network's forward pass in bfloat16, in each of `FORMS`."""
    # forms are made without content too, where there is no autocast
    network, inputs = make(name, preset, "instance", batch, size, "meta")
    given = inputs["image"], inputs["text"], inputs["tokens"]
    with torch.no_grad():
        pinned = pin_statistics(network.eval(), *given)
        forms = network, inference_form(pinned), inference_form(pinned, *given[1:])
    found = {}
    for form, one in zip(FORMS, forms, strict=True):
        with FakeTensorMode():
            _to_gpu(one)
            if one is not network:
                one = InPrecision(one, torch.bfloat16)
            placed = [_on_gpu(tensor) for tensor in given]
            found[form] = counted(partial(one, *placed))
    return found


def _on_gpu(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=DEVICE)


def _to_gpu(network: nn.Module) -> None:
    """Put a network without content onto the GPU that is none."""
    for module in network.modules():
        for key, value in module.named_parameters(recurse=False):
            module._parameters[key] = nn.Parameter(_on_gpu(value), requires_grad=False)
        for key, value in module.named_buffers(recurse=False):
            module._buffers[key] = _on_gpu(value)


def main(arguments: list[str] | None = None) -> None:
    """Count and print."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--presets", default="small", help="widths, separated by commas")
    parser.add_argument("--size", type=int, default=512, help="side of the image (px)")
    parser.add_argument("--details", action="store_true", help="by operation")
    options = parser.parse_args(arguments)
    for preset in options.presets.split(","):
        found = {name: counts_of(name, preset, options.size) for name in NETWORKS}
        print(f"preset {preset}, one image of {options.size} px in bfloat16, operations of a forward pass")
        for form in FORMS:
            vlsenet, unet = (found[name][form].total() for name in ("vlsenet", "unet"))
            print(f"  {form:<24}VLSE-Net {vlsenet:>4}, U-Net {unet:>4}, ratio {vlsenet / unet:.2f}")
        if options.details:
            for name in NETWORKS:
                print(f"  {name}:", ", ".join(f"{key} {n}" for key, n in found[name][FORMS[-1]].most_common()))


if __name__ == "__main__":
    main()
