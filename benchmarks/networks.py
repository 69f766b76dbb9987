"""VLSE-Net against U-Net at equal widths: time, memory, operations, parameters, and where VLSE-Net's time goes.

    python benchmarks/networks.py --presets small,base --size 512

Both networks take turns. Forward is the network as it is, without gradients; forward+backward is a training step
without the optimiser; inference is the forward pass as the commands run it, with pinned statistics, in the form for one
text and in the precision for this device. Shares of time are those of forward, measured with the device waited for
around every part; "other" is what belongs to no part (padding, cropping).

With `--phases 2,4` it also prints what so many phases cost over one, in time and peak memory: VLSE-Net runs its encoder
once and its decoder for each, U-Net has a logit for each.

With `--compile MODE` both run compiled, as a GPU waits for Python to ask for the next kernel (`reduce-overhead`: by
CUDA graphs); shares and operations are those of the network as it is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from _memory import peak_memory
from _timing import (
    chosen_device,
    common_arguments,
    interleaved,
    machine,
    ratios,
    seconds,
    shown,
    spread,
    synchronise,
    write_json,
)
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pipeline.engine.precision import autocast
from pipeline.networks import (
    NETWORKS,
    SegmentationLoss,
    build_network,
    inference_form,
    memory_format,
    pin_statistics,
    preset_features,
)

#: as CLIP's RN50 gives
TEXT_DIM, TEXT_LENGTH = 1024, 77
KINDS = ("forward", "forward+backward", "inference")

#: parts as they are called in the network's figure: modules whose names match
PARTS = {
    "encoder": r"conv_0|down_\d",
    "asrm_skip": r"asrm_skip",
    "lscm: skips": r"lscm\.skips\.\d",
    "lscm: bottleneck": r"lscm\.bottleneck",
    "asrm_bottleneck": r"asrm_bottleneck",
    "context": r"context",
    "lscm: cross-attention": r"lscm\.cross_attention",
    "skip gates": r"skip_gates\.\d",
    "decoder": r"upcat_\d|final_conv",
    "asrm_decoder": r"asrm_decoder",
    "lscm: decoder": r"lscm\.decoder\.\d",
    "lscm: text adapters": r"lscm\.adapters\.\d",
}


def make(
    name: str, preset: str, norm: str, batch: int, size: int, device: str, phases: int = 1
) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    """A network with seeded weights and noise as its input, on the device and in the layout that is used there."""
    torch.manual_seed(0)
    switches = {"renormalise": False}  # as train.yaml has it
    network = build_network(name, preset, TEXT_DIM, phases=phases, norm=norm, switches=switches)
    asked = (batch,) if phases == 1 else (batch, phases)
    inputs = {
        "image": torch.randn(batch, 1, size, size),
        "text": torch.randn(*asked, TEXT_DIM),
        "tokens": torch.randn(*asked, TEXT_LENGTH, TEXT_DIM),
        "mask": (torch.rand(batch, phases, size, size) < 0.1).float(),
    }
    layout = memory_format(norm)
    placed = {key: value.to(device) for key, value in inputs.items()}
    placed["image"] = placed["image"].to(memory_format=layout)
    return network.to(device).to(memory_format=layout), placed


def work_of(
    kind: str, network: nn.Module, inputs: dict[str, torch.Tensor], compile_mode: str | None = None
) -> Callable[[], object]:
    """What is timed: the network as it is, or by `torch.compile` in the mode given."""
    loss = SegmentationLoss()
    given = inputs["image"], inputs["text"], inputs["tokens"]
    device = given[0].device
    if kind == "inference":
        with autocast("auto", device):
            network = inference_form(pin_statistics(network, *given), *given[1:])
    run = network if compile_mode is None else torch.compile(network, mode=compile_mode)

    def inference() -> None:
        with torch.no_grad(), autocast("auto", device):
            run(*given)

    def forward() -> None:
        network.eval()
        with torch.no_grad():
            run(*given)

    def forward_backward() -> None:
        network.train()
        network.zero_grad(set_to_none=True)
        loss(run(**inputs), inputs["mask"]).backward()

    return {"forward": forward, "forward+backward": forward_backward, "inference": inference}[kind]


def operations(work: Callable[[], object]) -> int:
    """Floating-point operations of convolutions, products of matrices and attention, as PyTorch counts them."""
    with FlopCounterMode(display=False) as counter:
        work()
    total: int = counter.get_total_flops()
    return total


def shares(
    network: nn.Module, inputs: dict[str, torch.Tensor], repeats: int, device: torch.device
) -> dict[str, dict[str, float]]:
    """Each part's share of the time of the forward pass."""
    forward = work_of("forward", network, inputs)
    spent: dict[str, float] = {}
    started: list[float] = []
    handles = []

    def start(*_: object) -> None:
        synchronise(device)
        started.append(time.perf_counter())

    for part, pattern in PARTS.items():
        for name, module in network.named_modules():
            if re.fullmatch(pattern, name):

                def stop(*_: object, part: str = part) -> None:
                    synchronise(device)
                    spent[part] = spent.get(part, 0.0) + time.perf_counter() - started.pop()

                handles += [module.register_forward_pre_hook(start), module.register_forward_hook(stop)]
    forward()
    collected: dict[str, list[float]] = {}
    for _ in range(repeats):
        spent.clear()
        total = seconds(forward, device)
        for part, value in {**spent, "other": total - sum(spent.values())}.items():
            collected.setdefault(part, []).append(value / total)
    for handle in handles:
        handle.remove()
    return {part: spread(values) for part, values in collected.items()}


def measure(
    preset: str, size: int, batch: int, norm: str, repeats: int, device: torch.device, compile_mode: str | None = None
) -> dict[str, Any]:
    """All numbers of one preset.

    Returns:
        `features`; for each network `parameters`, and for each kind of work `seconds`, `operations`, `peak_memory_mb`;
        `ratio` (VLSE-Net over U-Net) for each kind of work; `shares` of VLSE-Net's time, not compiled.
    """
    made = {name: make(name, preset, norm, batch, size, str(device)) for name in NETWORKS}
    result: dict[str, Any] = {"preset": preset, "features": list(preset_features(preset)), "ratio": {}}
    for name, (network, _) in made.items():
        result[name] = {"parameters": sum(parameter.numel() for parameter in network.parameters())}
    for kind in KINDS:
        work = {name: work_of(kind, *parts, compile_mode) for name, parts in made.items()}
        times = interleaved(work, repeats, device)
        result["ratio"][kind] = ratios(times["vlsenet"], times["unet"])
        for name, (network, _) in made.items():
            network.zero_grad(set_to_none=True)  # gradients count as memory of the step
            result[name][kind] = {
                "seconds": spread(times[name]),
                "operations": operations(work_of(kind, *made[name])),
                "peak_memory_mb": peak_memory(work[name], device),
            }
    result["shares"] = shares(*made["vlsenet"], repeats, device)
    return result


def measure_phases(
    preset: str, size: int, batch: int, norm: str, repeats: int, device: torch.device, counts: Sequence[int]
) -> dict[str, Any]:
    """What several phases cost over one.

    Args:
        preset: widths.
        size: side of the images (px).
        batch: images in one pass.
        norm: of the networks.
        repeats: turns.
        device: where they run.
        counts: of phases.

    Returns:
        For each network and kind of work, by number of phases, one among them: `seconds`, `ratio` (over one phase) and
        `peak_memory_mb`.
    """
    result: dict[str, Any] = {}
    for name in NETWORKS:
        made = {count: make(name, preset, norm, batch, size, str(device), count) for count in (1, *counts)}
        for kind in ("forward+backward", "inference"):
            work = {str(count): work_of(kind, *parts) for count, parts in made.items()}
            times = interleaved(work, repeats, device)
            result.setdefault(name, {})[kind] = {
                count: {
                    "seconds": spread(times[count]),
                    "ratio": ratios(times[count], times["1"]),
                    "peak_memory_mb": peak_memory(work[count], device),
                }
                for count in work
            }
    return result


def report_phases(result: dict[str, Any]) -> str:
    """A table for people of what `measure_phases` returns."""
    lines = [f"  {'':<34}{'time (ms)':>28}{'over one phase':>24}{'peak memory (MB)':>20}"]
    for name, kinds in result.items():
        for kind, counts in kinds.items():
            for count, numbers in counts.items():
                label = f"{name}, {kind}, {count} {'phase' if count == '1' else 'phases'}"
                time_, ratio = shown(numbers["seconds"], 1e3, 1), shown(numbers["ratio"])
                lines.append(f"  {label:<34}{time_:>28}{ratio:>24}{numbers['peak_memory_mb']:>20.1f}")
    return "\n".join(lines)


def report(result: dict[str, Any]) -> str:
    """A table for people."""
    lines = [f"preset {result['preset']}, widths {' '.join(map(str, result['features']))}"]
    lines.append(f"  {'':<34}{'VLSE-Net':>26}{'U-Net':>26}{'ratio':>24}")

    def row(label: str, vlsenet: str, unet: str, ratio: str) -> None:
        lines.append(f"  {label:<34}{vlsenet:>26}{unet:>26}{ratio:>24}")

    a, b = result["vlsenet"], result["unet"]
    counts = [value["parameters"] / 1e6 for value in (a, b)]
    row("parameters (million)", f"{counts[0]:.2f}", f"{counts[1]:.2f}", f"{counts[0] / counts[1]:.2f}")
    for kind in KINDS:
        times = [shown(value[kind]["seconds"], 1e3, 1) for value in (a, b)]
        row(f"{kind} (ms)", *times, shown(result["ratio"][kind]))
        for key, label, scale in (("operations", "GFLOP", 1e9), ("peak_memory_mb", "peak memory (MB)", 1)):
            x, y = (value[kind][key] / scale for value in (a, b))
            row(f"{kind}, {label}", f"{x:.1f}", f"{y:.1f}", f"{x / y:.2f}" if y > 0 else "")
    lines.append("  share of VLSE-Net's forward (%)")
    for part, share in sorted(result["shares"].items(), key=lambda item: -item[1]["median"]):
        lines.append(f"    {part:<32}{shown(share, 100, 1):>26}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Measure the presets asked for, and print."""
    parser = common_arguments(__doc__)
    parser.add_argument("--presets", default="small,base", help="widths, separated by commas")
    parser.add_argument(
        "--compile", choices=("default", "reduce-overhead", "max-autotune"), metavar="MODE", help="use torch.compile"
    )
    parser.add_argument("--phases", default="", help="numbers of phases, separated by commas, to compare with one")
    options = parser.parse_args(arguments)
    counts = [int(count) for count in filter(None, options.phases.split(","))]
    device = chosen_device(options)
    where = machine(device)
    print(f"{where}\n{options.batch} x {options.size} x {options.size} px, {options.norm} norm; ", end="")
    print(f"compiled: {options.compile}; " if options.compile else "", end="")
    print(f"median (quartiles) of {options.repeats} turns", flush=True)
    results = []
    for preset in options.presets.split(","):
        results.append(
            measure(preset, options.size, options.batch, options.norm, options.repeats, device, options.compile)
        )
        print(report(results[-1]), flush=True)
        if counts:
            several = measure_phases(preset, options.size, options.batch, options.norm, options.repeats, device, counts)
            results[-1]["phases"] = several
            print(report_phases(several), flush=True)
    if options.output:
        settings = {
            "batch": options.batch,
            "size": options.size,
            "norm": options.norm,
            "repeats": options.repeats,
            "compile": options.compile,
        }
        write_json(options.output, {"machine": where, "settings": settings, "results": results})


if __name__ == "__main__":
    main()
