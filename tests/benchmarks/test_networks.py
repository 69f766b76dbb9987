from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.engine.precision import has_fast_bfloat16


def test_the_numbers_of_a_tiny_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import networks

    from pipeline.networks import build_network

    output = tmp_path / "numbers.json"
    networks.main(["--presets", "small", "--size", "32", "--repeats", "2", "--device", "cpu", "--output", str(output)])
    (result,) = json.loads(output.read_text())["results"]
    assert set(result["ratio"]) == set(networks.KINDS)
    assert result["unet"]["parameters"] == sum(p.numel() for p in build_network("unet").parameters())
    for kind in networks.KINDS:
        for name in ("vlsenet", "unet"):
            assert result[name][kind]["peak_memory_mb"] > 0
        assert result["vlsenet"][kind]["operations"] > result["unet"][kind]["operations"] > 0
    forward, both, _ = (result["unet"][kind] for kind in networks.KINDS)
    # each convolution but the first has two gradients
    assert 2 * forward["operations"] < both["operations"] < 3.01 * forward["operations"]
    assert set(result["shares"]) == {*networks.PARTS, "other"}
    assert "preset small" in capsys.readouterr().out


def test_the_cost_of_several_phases(capsys: pytest.CaptureFixture[str]) -> None:
    import networks

    numbers = networks.measure_phases("small", 32, 1, "instance", 1, torch.device("cpu"), [3])
    assert set(numbers) == {"vlsenet", "unet"}
    for kinds in numbers.values():
        for kind in ("forward+backward", "inference"):
            assert set(kinds[kind]) == {"1", "3"}
            assert kinds[kind]["1"]["ratio"]["median"] == 1
            assert all(of["peak_memory_mb"] > 0 for of in kinds[kind].values())
    text = networks.report_phases(numbers)
    assert "vlsenet, inference, 3 phases" in text
    assert len(text.splitlines()) == 9


def test_both_networks_run_compiled(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import networks

    calls: list[tuple[str, str]] = []

    def compiled(network: nn.Module, mode: str) -> Callable[..., object]:
        def run(*args: object, **kwargs: object) -> object:
            calls.append((type(network).__name__, mode))
            return network(*args, **kwargs)

        return run

    monkeypatch.setattr(torch, "compile", compiled)  # the real one takes minutes
    line = ["--presets", "small", "--size", "32", "--repeats", "1", "--device", "cpu", "--compile", "reduce-overhead"]
    networks.main(line)
    # the networks as they are, and as the commands run them: in the precision that suits the processor
    names = {"VLSENet", "UNet"} | ({"InPrecision"} if has_fast_bfloat16("cpu") else set())
    assert set(calls) == {(name, "reduce-overhead") for name in names}
    # of each kind of work: warm-up, one turn, and once for the memory
    assert len(calls) >= 2 * len(networks.KINDS) * 3
    assert "compiled: reduce-overhead" in capsys.readouterr().out


def test_operations_of_a_convolution() -> None:
    import networks

    convolution = nn.Conv2d(3, 5, 3, padding=1)
    image = torch.rand(1, 3, 20, 30)
    assert networks.operations(lambda: convolution(image)) == 2 * 3 * 5 * 9 * 20 * 30


def test_every_part_of_the_network_has_a_name() -> None:
    import networks

    from pipeline.networks import build_network

    parts = "|".join(networks.PARTS.values())
    names = [name for name, _ in build_network().named_parameters() if not name.startswith("lscm.alignment.")]
    assert [name for name in names if not re.match(rf"({parts})\.", name)] == []
