"""Ways to run a network for inference: how much faster than plain float32, and how far from its answer.

    python benchmarks/inference_modes.py --checkpoint runs/first/checkpoints/best.pt --image scan.tif

Tries memory layout x precision x norms folded into convolutions x `torch.compile`, and the form that the commands use
(`inference_form`). As in inference, the statistics of the network are pinned to the given images, which makes the norms
foldable. All modes take turns. Without a checkpoint the weights are random and without an image it is synthetic: then
only the times say something.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from _micrograph import normalised
from _timing import chosen_device, common_arguments, interleaved, machine, ratios, shown, spread, write_json
from torch import nn
from torch._dynamo.exc import BackendCompilerFailed

from pipeline.errors import first_line
from pipeline.images import read_image
from pipeline.networks import build_network, fuse_norms, inference_form, pin_statistics
from pipeline.synthetic import generate
from pipeline.text import DEFAULT_PROMPT
from pipeline.workflows import load_model

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
TEXT_DIM, TEXT_LENGTH = 256, 8

Inputs = dict[str, torch.Tensor]


class Mode(NamedTuple):
    """One way to run a network.

    Attributes:
        layout: `contiguous` or `channels_last`.
        precision: `float32` or `bfloat16`.
        form: one of `FORMS`.
        compiled: by `torch.compile`.
    """

    layout: str
    precision: str
    form: str
    compiled: bool

    def __str__(self) -> str:
        extras = [self.form, "compiled" if self.compiled else ""]
        return " ".join([self.layout, self.precision, *filter(None, extras)])


#: as it is, with norms folded into convolutions, and as the commands run it
FORMS = ("", "fused", "as used")
REFERENCE = Mode("contiguous", "float32", "", False)


def modes(with_compile: bool) -> list[Mode]:
    """All of them, the reference first."""
    compiled = (False, True) if with_compile else (False,)
    every = itertools.starmap(Mode, itertools.product(LAYOUTS, ("float32", "bfloat16"), FORMS, compiled))
    return [mode for mode in every if mode.form != "as used" or mode.layout == "channels_last"]


def prepare(network: nn.Module, inputs: Inputs, mode: Mode) -> Callable[[], torch.Tensor]:
    """A function that gives the probability (N, 1, H, W) in one mode; the network itself is left as it is."""
    lower = mode.precision == "bfloat16"
    precision = torch.autocast(inputs["image"].device.type, torch.bfloat16, enabled=lower)
    if mode.form == "as used":
        with torch.no_grad(), precision:
            network = inference_form(network, inputs["text"], inputs["tokens"])
    else:
        network = fuse_norms(network) if mode.form == "fused" else copy.deepcopy(network).eval()
        network = network.to(memory_format=LAYOUTS[mode.layout])
    run = torch.compile(network) if mode.compiled else network
    image = inputs["image"].contiguous(memory_format=LAYOUTS[mode.layout])

    def probability() -> torch.Tensor:
        with torch.no_grad(), precision:
            logits: torch.Tensor = run(image, inputs["text"], inputs["tokens"])
        return logits.float().sigmoid()

    return probability


def measure(
    network: nn.Module,
    inputs: Inputs,
    repeats: int,
    device: torch.device,
    with_compile: bool,
    threshold: float = 0.5,
) -> list[dict[str, Any]]:
    """Times and differences of all modes.

    Args:
        network: with pinned statistics, on the device.
        inputs: `image`, `text` and `tokens`, likewise.
        repeats: timed turns.
        device: where all is.
        with_compile: try `torch.compile` too, which takes minutes.
        threshold: probability from which a pixel is pore.

    Returns:
        For each mode: `mode`, its parts, and `seconds`, `ratio` to the reference, `largest_difference` and
        `mean_difference` of probability, `flipped` (share of pixels whose mask changes); or `failed`, why.
    """
    torch._dynamo.config.recompile_limit = 64  # every mode compiles the same code
    work = {}
    failed = {}
    for mode in modes(with_compile):
        work[mode] = prepare(network, inputs, mode)
        try:
            work[mode]()
        except BackendCompilerFailed as error:
            failed[mode] = first_line(error)
            del work[mode]
    times = interleaved({str(mode): function for mode, function in work.items()}, repeats, device)
    expected = work[REFERENCE]()
    rows: list[dict[str, Any]] = [{"mode": str(mode), **mode._asdict(), "failed": why} for mode, why in failed.items()]
    for mode, function in work.items():
        probability = function()
        difference = (probability - expected).abs()
        rows.append(
            {
                "mode": str(mode),
                **mode._asdict(),
                "seconds": spread(times[str(mode)]),
                "ratio": ratios(times[str(mode)], times[str(REFERENCE)]),
                "largest_difference": float(difference.max()),
                "mean_difference": float(difference.mean()),
                "flipped": float(((probability >= threshold) != (expected >= threshold)).float().mean()),
            }
        )
    return rows


def images_of(path: Path | None, size: int, count: int) -> torch.Tensor:
    """Windows (N, 1, size, size) of a micrograph, as a network sees it."""
    raw = generate((size, size * count), seed=0).image if path is None else read_image(path)
    (image,) = normalised(raw)
    windows = image.unfold(0, size, size).unfold(1, size, size).flatten(0, 1)
    if len(windows) < count:
        raise SystemExit(f"{path} has room for {len(windows)} windows of {size} px, not {count}")
    return windows[:count, None].clone()


def network_of(checkpoint: Path | None, name: str, preset: str, norm: str) -> tuple[nn.Module, Inputs, float]:
    """A network with the text features of the generic prompt, (1, D) and (1, L, D), and its threshold."""
    if checkpoint is not None:
        model = load_model(str(checkpoint))
        features = model.text.get(DEFAULT_PROMPT)
        return model.network, {"text": features.text[None], "tokens": features.tokens[None]}, model.threshold
    torch.manual_seed(0)
    network = build_network(name, preset, TEXT_DIM, norm=norm, switches={"renormalise": False})  # as train.yaml has it
    return network, {"text": torch.randn(1, TEXT_DIM), "tokens": torch.randn(1, TEXT_LENGTH, TEXT_DIM)}, 0.5


def report(rows: list[dict[str, Any]]) -> str:
    """A table for people, the fastest first."""
    lines = [f"{'':<42}{'ms':>26}{'ratio':>22}{'largest':>11}{'mean':>11}{'flipped':>11}"]
    for row in sorted(rows, key=lambda row: float("inf") if "failed" in row else row["ratio"]["median"]):
        if "failed" in row:
            lines.append(f"{row['mode']:<42}failed: {row['failed']}")
            continue
        differences = "".join(f"{row[key]:>11.1e}" for key in ("largest_difference", "mean_difference", "flipped"))
        lines.append(f"{row['mode']:<42}{shown(row['seconds'], 1e3, 1):>26}{shown(row['ratio']):>22}{differences}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = common_arguments(__doc__)
    parser.add_argument("--checkpoint", type=Path, help="best.pt of a training")
    parser.add_argument("--image", type=Path, help="a micrograph with room for a batch of windows")
    parser.add_argument("--network", default="vlsenet", help="without a checkpoint: vlsenet or unet")
    parser.add_argument("--preset", default="small", help="without a checkpoint: widths")
    parser.add_argument("--no-compile", action="store_true", help="run without torch.compile")
    options = parser.parse_args(arguments)
    device = chosen_device(options)
    where = machine(device)
    network, text, threshold = network_of(options.checkpoint, options.network, options.preset, options.norm)
    image = images_of(options.image, options.size, options.batch)
    inputs = {"image": image, **{key: value.expand(options.batch, *value.shape[1:]) for key, value in text.items()}}
    inputs = {key: value.to(device) for key, value in inputs.items()}
    pinned = pin_statistics(network.to(device).to(memory_format=torch.contiguous_format), **inputs)
    print(f"{where}\n{options.batch} x {options.size} x {options.size} px; time relative to {REFERENCE}, largest and")
    print("mean difference in probability, share of mask pixels that change", flush=True)
    rows = measure(pinned, inputs, options.repeats, device, not options.no_compile, threshold)
    print(report(rows))
    if options.output:
        write_json(options.output, {"machine": where, "checkpoint": str(options.checkpoint), "modes": rows})


if __name__ == "__main__":
    main()
