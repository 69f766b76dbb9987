from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.engine.precision import MixedPrecisionInferer, autocast, has_fast_bfloat16

CPU_INFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(not CPU_INFO.is_file(), reason="no /proc/cpuinfo, which names the processor's instructions")
def test_a_processor_with_instructions_for_bfloat16_is_found() -> None:
    flags = {word for line in CPU_INFO.read_text().splitlines() if line.startswith("flags") for word in line.split()}
    assert has_fast_bfloat16("cpu") == bool(flags & {"avx512_bf16", "amx_tile"})


def test_torch_still_has_what_is_asked_about_processors() -> None:
    """They are private; without them `auto` would be float32 on every processor, and nobody told."""
    assert hasattr(torch.cpu, "_is_avx512_bf16_supported")
    assert hasattr(torch.cpu, "_is_amx_tile_supported")


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        ("float32", torch.float32),
        ("bfloat16", torch.bfloat16),
        ("auto", torch.bfloat16 if has_fast_bfloat16("cpu") else torch.float32),
    ],
)
def test_the_network_runs_in_the_precision_asked_for(precision: str, expected: torch.dtype) -> None:
    layer = torch.nn.Conv2d(1, 2, 3)
    image = torch.randn(1, 1, 8, 8)
    assert MixedPrecisionInferer(precision)(image, layer).dtype == expected
    with autocast(precision, "cpu"):
        assert layer(image).dtype == expected
    assert layer(image).dtype == torch.float32


def test_weights_and_gradients_stay_in_single_precision() -> None:
    layer = torch.nn.Conv2d(1, 2, 3)
    MixedPrecisionInferer("bfloat16")(torch.randn(1, 1, 8, 8), layer).float().sum().backward()
    assert layer.weight.dtype == layer.weight.grad.dtype == torch.float32
