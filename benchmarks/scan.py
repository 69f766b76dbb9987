"""Segmentation of whole scans: memory, time against the network alone and against MONAI, kills, processes.

    python benchmarks/scan.py                                          # about an hour on two cores
    python benchmarks/scan.py --parts memory,kills --memory-sides 2048 4096 --kills 3 --kill-side 2048      # minutes
    python benchmarks/scan.py --parts real --checkpoint runs/first/checkpoints/best.pt --nankai nankai

Writes its own scans, into a folder that is removed afterwards. Without a checkpoint the weights are untrained, on which
time and memory do not depend.

memory     peak memory of segmentations, each in a process of its own, without what libraries map from their files
time       from the file to the finished output on the disk, over the network alone on the same windows
monai      the same scan by MONAI's SlidingWindowInferer, each in a process of its own
kills      the command, killed with SIGKILL at random moments and started again: are the bytes the same?
processes  the command by torchrun with several processes of one thread each: are the bytes the same?
real       Dice on labelled mosaics, in chunks of several sizes and whole, and with shading left in; needs --checkpoint
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from _memory import alone
from _scan_commands import Command, in_processes, kill_and_resume
from _scan_data import TINY, write_model, write_scan
from _scan_runs import MASK, PROBABILITY, Case, compare_time, segment, slide, stored
from _timing import machine, shown, write_json

from pipeline.images import read_image
from pipeline.tiling.chunk_plan import ChunkPlan

PARTS = ("memory", "time", "monai", "kills", "processes", "real")
_NANKAI = Path(__file__).resolve().parents[2] / "shared" / "data" / "nankai"
_PORE_LABEL = 2  # of the Nankai labels


class Benchmark:
    """The parts, on scans and models in one folder.

    Args:
        folder: for scans, models and results.
        options: of the command line.
    """

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._folder, self._options = folder, options
        self._tiny, self._model = folder / "tiny.pt", options.checkpoint or folder / "model.pt"
        write_model(self._tiny, "unet", TINY)
        if options.checkpoint is None:
            write_model(self._model)

    def memory(self) -> dict[str, Any]:
        """Peak memory by size of the scan."""
        runs = []
        for side in self._options.memory_sides:
            case = replace(self._case(side, self._model), windows=self._options.memory_windows)
            run = {"side": side, **alone(segment, case, self._folder / "out")}
            run["ratio"] = run["peak_mb"] / runs[0]["peak_mb"] if runs else 1.0
            runs.append(run)
            print(
                f"{side:>6} px: peak {run['peak_mb']:.0f} MB ({run['ratio']:.2f} of the first; "
                f"{run['before_mb']:.0f} MB before), {run['seconds']:.1f} s, chunks of {run['chunk_size']} px; "
                + ", ".join(f"{name} {value:.1f}" for name, value in run["stages"].items()),
                flush=True,
            )
        return {"report": self._options.report, "runs": runs}

    def time(self) -> dict[str, Any]:
        """Whole segmentations over the network alone."""
        case = self._case(self._options.side, self._model)
        result = compare_time(case, self._folder / "out", self._options.repeats)
        share = 100 * (result["share"] - 1)
        print(
            f"end to end {_list(result['end_to_end'])} s, network alone {_list(result['network'])} s: "
            f"ratio {shown(result['ratio'], digits=3)} (a first segmentation, not counted: {result['first']:.1f} s)\n"
            f"chunks of {result['chunk_size']} px, halo {result['halo']} px ({share:.1f} % more pixels), "
            f"batch {result['batch']}"
        )
        print("seconds: " + ", ".join(f"{name} {value:.2f}" for name, value in result["stages"].items()), flush=True)
        return {"side": self._options.side, **result}

    def monai(self) -> dict[str, Any]:
        """The same scan by MONAI's sliding window."""
        case, folder = self._case(self._options.side, self._model), self._folder / "out"
        ours = alone(segment, case, folder, True)
        theirs = alone(slide, case, folder, {name: ours[name] for name in ("chunk_size", "halo", "batch")})
        print(f"ours  {ours['seconds']:.1f} s, peak {ours['peak_mb']:.0f} MB, all written")
        print(
            f"MONAI {theirs['seconds']:.1f} s, peak {theirs['peak_mb']:.0f} MB, in memory; windows of "
            f"{theirs['window']} px\nlargest difference of probability {theirs['largest']:.4f}, mean "
            f"{theirs['mean']:.1e}, {100 * theirs['flipped']:.4f} % of the mask flips",
            flush=True,
        )
        return {"side": self._options.side, "ours": ours, "monai": theirs}

    def kills(self) -> dict[str, Any]:
        """Kill, resume, compare."""
        scan, chunk = self._scan(self._options.kill_side), self._options.kill_chunk
        command = Command(scan, self._tiny, self._folder / "killed", chunk)
        result = kill_and_resume(command, self._options.kills, self._options.seed)
        where = ", ".join(f"{count} in {name}" for name, count in result["phases"].items())
        print(
            f"{result['kills']} kills ({where}); {result['finished']} segmentations finished, "
            f"{result['different']} of them differ in one of {result['files']} files",
            flush=True,
        )
        return {"side": self._options.kill_side, "chunk_size": chunk, **result}

    def processes(self) -> dict[str, Any]:
        """One scan, several processes."""
        scan, chunk = self._scan(self._options.process_side), self._options.process_chunk
        commands = {
            count: Command(scan, self._model, self._folder / f"by_{count}", chunk, processes=count, threads=1)
            for count in self._options.processes
        }
        result = in_processes(commands)
        for run in result["runs"]:
            print(
                f"{run['processes']} processes: {run['seconds']:.1f} s, of which chunks {run['stages']['chunks']:.1f} s"
            )
        print(f"{result['different']} of them differ from the first in one of {result['files']} files", flush=True)
        return {"side": self._options.process_side, "chunk_size": chunk, **result}

    def real(self) -> dict[str, Any]:
        """Dice of labelled mosaics, by size of the chunks."""
        rows: list[dict[str, Any]] = []
        for image in sorted((self._options.nankai / "mosaics").glob("*_image.png")):
            label = read_image(image.with_name(image.name.replace("_image", "_labels"))) == _PORE_LABEL
            whole = -(-max(label.shape) // 256) * 256
            untiled: np.ndarray | None = None
            for chunk, flat in ((whole, True), (512, True), (256, True), (whole, False)):
                case = Case(
                    image, self._model, chunk, self._options.precision, self._options.device, flatten_shading=flat
                )
                run = segment(case, self._folder / "out", keep=True)
                plan = ChunkPlan(*label.shape, chunk=run["chunk_size"])
                mask = stored(self._folder / "out", plan, MASK) > 0
                probability = stored(self._folder / "out", plan, PROBABILITY).astype(int)
                untiled = probability if untiled is None else untiled
                shutil.rmtree(self._folder / "out")
                row = {
                    "mosaic": image.name,
                    "chunk": "whole" if chunk == whole else chunk,
                    "shading": "taken out" if flat else "left in",
                    "dice": dice(mask, label),
                    "best_dice": max(dice(probability >= level, label) for level in range(13, 255, 13)),
                    "largest_difference_to_whole": float(np.abs(probability - untiled).max() / 255),
                }
                rows.append(row)
                print(
                    f"{row['mosaic']}, {row['chunk']}, shading {row['shading']}: Dice {row['dice']:.5f} (at the best "
                    f"threshold {row['best_dice']:.4f}), largest difference of probability to "
                    f"whole {row['largest_difference_to_whole']:.4f}",
                    flush=True,
                )
        return {"rows": rows}

    def _case(self, side: int, model: Path) -> Case:
        options = self._options
        return Case(self._scan(side), model, options.chunk, options.precision, options.device, options.report)

    def _scan(self, side: int) -> Path:
        path = self._folder / f"scan{side}.tif"
        if not path.exists():
            write_scan(path, side)
        return path


def dice(mask: np.ndarray, label: np.ndarray) -> float:
    """2 |A and B| / (|A| + |B|) of two boolean masks."""
    return float(2 * (mask & label).sum() / (mask.sum() + label.sum()))


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


def _parts(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(PARTS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    return names


def arguments_of(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=_parts, help="parts to run, separated by commas; default: all that can be run")
    parser.add_argument("--folder", type=Path, help="folder for temporary scans and results")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="also write the numbers to this file")
    parser.add_argument("--checkpoint", type=Path, help="best.pt of a training, for time, monai, processes, real")
    parser.add_argument("--device", default="cpu", help="for memory, time, monai, real")
    parser.add_argument("--precision", default="auto")
    parser.add_argument(
        "--chunk",
        type=int,
        help="side of the chunks (px); default: as chosen by the program",
    )
    parser.add_argument(
        "--report", action="store_true", help="memory, time, monai: also make the table of pores and the report"
    )
    parser.add_argument("--memory-sides", type=int, nargs="+", default=[4096, 8192, 16384, 32768], metavar="PX")
    parser.add_argument(
        "--memory-windows",
        type=int,
        metavar="N",
        help="memory: the network sees so many windows, and a threshold the others: large scans in minutes",
    )
    parser.add_argument("--side", type=int, default=8192, help="time, monai: side of the scan (px)")
    parser.add_argument("--repeats", type=int, default=3, help="time: number of repeats")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--kill-side", type=int, default=4096, help="kills: side of the scan (px)")
    parser.add_argument("--kill-chunk", type=int, default=512, help="kills: side of the chunks (px)")
    parser.add_argument("--seed", type=int, default=0, help="kills: random seed of their times")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--process-side", type=int, default=4096, help="processes: side of the scan (px)")
    parser.add_argument("--process-chunk", type=int, default=1024, help="processes: side of the chunks (px)")
    parser.add_argument("--nankai", type=Path, default=_NANKAI, help="real: a folder with mosaics/")
    options = parser.parse_args(words)
    has_real = options.checkpoint is not None and (options.nankai / "mosaics").is_dir()
    if options.parts is None:
        options.parts = [part for part in PARTS if part != "real" or has_real]
    elif "real" in options.parts and not has_real:
        parser.error(f"real: give --checkpoint, and as --nankai a folder that holds mosaics/ (not {options.nankai})")
    return options


def main(words: list[str] | None = None) -> None:
    """Measure and print."""
    options = arguments_of(words)
    result: dict[str, Any] = {"machine": machine(torch.device(options.device))}
    print(result["machine"])
    with TemporaryDirectory(dir=options.folder) as name:
        benchmark = Benchmark(Path(name), options)
        for part in options.parts:
            print(f"\n{part}", flush=True)
            work: Callable[[], dict[str, Any]] = getattr(benchmark, part)
            result[part] = work()
            if options.output:  # after each part: they take long
                write_json(options.output, result)


if __name__ == "__main__":
    main()
