"""What seeing the micrograph around the window costs, and whether it helps where nothing else can.

    python benchmarks/surroundings.py                   # time of the network and of a scan, with and without
    python benchmarks/surroundings.py --train           # also trains on images whose phases differ by where they lie

Cost: networks with and without surroundings take turns, as they are trained (patches of 192 px) and as they run
(pinned, windows of `--size`); then whole scans of `--side` px, from the file to the finished output, in turns too. The
ratio of each turn is what counts, and its median is printed with its quartiles.

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

import torch
from _scan_data import write_model, write_scan
from _scan_runs import Case, segment
from _timing import chosen_device, common_arguments, interleaved, machine, ratios, shown, write_json

from pipeline.engine.precision import autocast
from pipeline.networks import NETWORKS, build_network, inference_form, memory_format, pin_statistics, reach_of
from pipeline.networks.surroundings import no_view
from pipeline.synthetic.layers import write_layered

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
    parser.add_argument("--train", action="store_true", help="train on layered images, with 240px")
    parser.add_argument("--epochs", type=int, default=24, help="of 25 steps, for --train")
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
    if arguments.train:
        result["layered"] = layered_dice("240px", arguments.epochs, arguments.seed)
    if arguments.output:
        write_json(arguments.output, result)


if __name__ == "__main__":
    main()
