"""What seeing the micrograph around the window costs, and whether it helps where nothing else can.

    python benchmarks/surroundings.py                   # time of the network and of a scan, with and without
    python benchmarks/surroundings.py --train           # also trains on images whose phases differ by where they lie

Cost: networks with and without surroundings take turns, as they are trained (patches of 192 px) and as they run
(pinned, windows of `--size`); then whole scans of `--side` px, from the file to the finished output, in turns too. The
ratio of each turn is what counts, and its median is printed with its quartiles. `--reads`: how many pixels of a scan of
8192 x 8192 px each stage reads, with and without a region of interest of 1024 x 1024 px.

`--train`: pores in a layer and pores outside of it look alike (`pipeline.synthetic.layers`). A network that sees
patches of 96 px alone finds pores and can't tell which they are: the mean Dice of the two phases stays near that of a
guess, two thirds. Both networks are trained by `vlsenet train` with widths of 8 to 32, with and without surroundings.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import torch
from _scan_data import write_model, write_scan
from _scan_runs import Case, segment
from _timing import chosen_device, common_arguments, interleaved, machine, ratios, shown, write_json

from pipeline.engine.pinned_network import SIDE, TILES, rock_places, tiles_at
from pipeline.engine.precision import autocast
from pipeline.engine.scan_predictor import seen_around
from pipeline.foreground.coarse import CoarseMicrograph
from pipeline.foreground.measurement import Foreground
from pipeline.images.rectangles import Roi, Window
from pipeline.images.storage import RawSource
from pipeline.images.volume import volume_of_array
from pipeline.networks import NETWORKS, build_network, inference_form, memory_format, pin_statistics, reach_of
from pipeline.networks.surroundings import no_view
from pipeline.synthetic.layers import write_layered
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows

PATCH, PATCHES, TEXT_DIM = 192, 8, 1024
_LAYERED = "--set patch_size=96 --set features=[8,16,16,32,32] --set val_interval={0} --max_epochs {0} --device cpu"


def network_ratios(reach: int, size: int, device: torch.device, repeats: int, norm: str) -> dict[str, dict[str, float]]:
    """Time with surroundings over that without, of a training step and of a window, by network and kind."""
    found = {}
    for name in NETWORKS:
        steps, windows = {}, {}
        for own in (None, reach):
            torch.manual_seed(0)
            made = build_network(name, norm=norm, learned_text=name == "vlsenet", text_dim=TEXT_DIM, reach=own)
            made.to(device, memory_format=memory_format(norm))
            patch, window = (torch.randn(n, 1, side, side, device=device) for n, side in ((PATCHES, PATCH), (1, size)))

            around = no_view(patch, own)

            def step(network=made, patch=patch, view=around) -> None:
                with autocast("auto", patch.device):
                    logits = network(patch, view=view)
                logits.float().square().mean().backward()

            steps[own] = step
            with torch.no_grad(), autocast("auto", device):
                text = {"text": torch.zeros(1, TEXT_DIM), "tokens": torch.zeros(1, 5, TEXT_DIM)}
                inputs = {"image": window, **{name: value.to(device) for name, value in text.items()}}
                if own is not None:
                    inputs["view"] = no_view(window, own)
                form = inference_form(pin_statistics(made, **inputs), inputs["text"], inputs["tokens"])

            def run(form=form, inputs=inputs) -> None:
                with torch.no_grad(), autocast("auto", inputs["image"].device):
                    form(**inputs)

            windows[own] = run
        for kind, work in (("training step", steps), (f"window of {size} px", windows)):
            times = interleaved({str(own): function for own, function in work.items()}, repeats, device)
            found[f"{name}, {kind}"] = ratios(times[str(reach)], times["None"])
    return found


def scan_ratios(reach: int, side: int, device: torch.device, repeats: int) -> dict[str, float]:
    """Time of a whole scan by a U-Net with surroundings over that without."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_scan(folder / "scan.tif", side)
        times: dict[int | None, list[float]] = {None: [], reach: []}
        for own in times:
            write_model(folder / f"{own}.pt", "unet", reach=own)
        for _ in range(repeats):
            for own, seconds in times.items():
                case = Case(folder / "scan.tif", folder / f"{own}.pt", device=str(device))
                seconds.append(segment(case, folder / "out")["seconds"])
        return ratios(times[reach], times[None])


def pixels_read(reach: int, side: int = 8192, region: int = 1024) -> dict[str, dict[str, float]]:
    """What each stage reads, in pixels over those of the scan: for all of it, and for a region in its middle."""
    pixels = np.random.default_rng(0).integers(40, 220, (side, side), dtype=np.uint8)
    read, count = RawSource._read, [0]

    def counted(self: RawSource, top: int, left: int, height: int, width: int) -> np.ndarray:
        count[0] += height * width
        return read(self, top, left, height, width)

    found: dict[str, dict[str, float]] = {}
    with patch.object(RawSource, "_read", counted):
        for name, roi in {
            "whole": None,
            "region": Roi((side - region) // 2, (side - region) // 2, region, region),
        }.items():
            volume, plan = volume_of_array(pixels, "scan"), ChunkPlan(side, side, 1, chunk=1024, roi=roi)
            windows, shares = Windows(plan, 128), {}

            def share() -> float:
                read_now, count[0] = count[0], 0
                return read_now / side**2

            share()
            foreground = Foreground.measured(volume, windows, skip_empty=True, flatten_shading=True)
            shares["first look"] = share()
            tiles_at(volume, windows, foreground, rock_places(volume, windows, foreground, SIDE, TILES))
            shares["tiles for the statistics"] = share()
            CoarseMicrograph.of(volume, windows, foreground, seen_around(volume, windows, foreground, reach))
            shares["reduced copy"] = share()
            for index in range(len(plan)):
                top, left, height, width = windows.around(windows.imaged(plan[index]))
                inside = Window(top, left, height, width).common(Window(0, 0, side, side))
                volume.read(0, *inside)
            shares["windows"] = share()
            found[name] = shares
    return found


def layered_dice(surroundings: str, epochs: int, seed: int) -> dict[str, float]:
    """Mean Dice of both phases on validation images, at the thresholds that suit them best, by network and view."""
    found = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_layered(folder / "data", 10, (640, 640), seed, val=3)
        for network in NETWORKS:
            for own in ("none", surroundings):
                line = (
                    f"train {folder / 'data'} --output_dir {folder / own} --overwrite --network {network} --seed {seed}"
                )
                words = f"{line} --set surroundings={own} {_LAYERED.format(epochs)}".split()
                done = subprocess.run(
                    [sys.executable, "-m", "pipeline.cli", *words], check=True, capture_output=True, text=True
                )
                found[f"{network}, {own}"] = float(re.findall(r"best val_dice ([\d.]+)", done.stderr + done.stdout)[-1])
                print(f"{network}, surroundings {own}: Dice {found[f'{network}, {own}']:.3f}", flush=True)
    return found


def main() -> None:
    """Measure, print, and write the numbers if a file is given."""
    parser = common_arguments(__doc__)
    parser.set_defaults(size=1024)
    parser.add_argument("--surroundings", default="496px", help="as for vlsenet train")
    parser.add_argument("--side", type=int, default=4096, help="of the scan (px); 0: none")
    parser.add_argument("--scans", type=int, default=3, help="turns of whole scans")
    parser.add_argument("--reads", action="store_true", help="count the pixels that are read")
    parser.add_argument("--train", action="store_true", help="train on layered images, with 240px")
    parser.add_argument("--epochs", type=int, default=40, help="of 25 steps, for --train")
    parser.add_argument("--seed", type=int, default=0, help="for --train")
    arguments = parser.parse_args()
    device, reach = chosen_device(arguments), reach_of(arguments.surroundings)
    if reach is None:
        parser.error("--surroundings none: there is nothing to compare")
    result: dict[str, object] = {"machine": machine(device)}
    print(json.dumps(result["machine"]))
    if arguments.repeats:
        result["networks"] = found = network_ratios(reach, arguments.size, device, arguments.repeats, arguments.norm)
        for name, ratio in found.items():
            print(f"{name}: {shown(ratio, digits=3)} times")
    if arguments.side:
        result["scan"] = scan_ratios(reach, arguments.side, device, arguments.scans)
        print(f"scan of {arguments.side} px: {shown(result['scan'], digits=3)} times")
    if arguments.reads:
        result["reads"] = reads = pixels_read(reach)
        for name, shares in reads.items():
            print(f"{name}: " + ", ".join(f"{stage} {share:.3f}" for stage, share in shares.items()))
    if arguments.train:
        result["layered"] = layered_dice("240px", arguments.epochs, arguments.seed)
    if arguments.output:
        write_json(arguments.output, result)


if __name__ == "__main__":
    main()
