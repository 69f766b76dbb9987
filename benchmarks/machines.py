"""Many scans and trainings on the workers of a Dask cluster: time, overhead, bytes, kills, memory of the scheduler.

    python benchmarks/machines.py                                      # 64 scans; a quarter of an hour on two cores
    python benchmarks/machines.py --parts trainings
    python benchmarks/machines.py --scans 6 --side 300 --kills 2 --tasks 2000 --trainings 2        # some minutes

Writes its own scans, data and an untrained model, into a folder that is removed afterwards. Workers for scans are warm:
start-up and imports are timed apart. All processes use one thread.

workers    the folder by one process, and by 1 and 2 workers: time, overhead for each scan, are the bytes the same?
kills      two workers, one of which is killed with SIGKILL at random moments and started again: is anything lost,
           doubled or changed?
trainings  a grid of tiny trainings by 1 worker and by 2: time, and a hash of all weights
tasks      the scheduler with many tasks that do nothing: memory and tasks per second; client and workers are in the
           same process
"""

from __future__ import annotations

import argparse
import logging
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import psutil
import torch
from _memory import alone, resident_peak
from _scan_data import TINY, hashes, write_model
from _timing import machine, write_json
from _trainings import Grid
from PIL import Image

from pipeline.cluster import Pool, in_tasks
from pipeline.progress_bars import bars_shown
from pipeline.synthetic import generate
from pipeline.workflows import PredictionSettings, Ranks, ScanCommand, ScanSettings, load_model
from pipeline.workflows.scan.results import JOURNAL
from pipeline.workflows.scan.scan_task import LOG

PARTS = ("workers", "kills", "trainings", "tasks")


class Benchmark:
    """The parts, on scans and a model in one folder.

    Args:
        folder: for scans, model and results.
        options: of the command line.
    """

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._folder, self._options = folder, options
        self._scans = folder / "scans"
        self._scans.mkdir()
        side = options.side
        if not {"workers", "kills"} & set(options.parts.split(",")):
            return
        for number in range(options.scans):
            Image.fromarray(generate((side, side), seed=number).image).save(self._scans / f"scan{number:03d}.png")
        write_model(folder / "model.pt", "unet", TINY)
        self._reference: dict[str, str] | None = None

    def workers(self) -> dict[str, Any]:
        """One process, and 1 and 2 workers."""
        one = self._alone()
        found: dict[str, Any] = {"one_process_s": one}
        print(f"one process: {one:.1f} s for {self._options.scans} scans", flush=True)
        for count in self._options.by:
            with _warm_workers(count) as (client, started):
                seconds = self._segment(f"workers{count}", Pool(scheduler=client.scheduler.address))
            overhead = 1000 * (seconds * count - one) / self._options.scans
            same = self._bytes(f"workers{count}") == self._reference
            found[f"workers_{count}"] = {"seconds": seconds, "start_s": started, "overhead_ms": overhead, "same": same}
            print(
                f"{count} workers: {seconds:.1f} s ({one / seconds:.2f} times as fast), {overhead:.0f} ms more of a "
                f"worker's time for each scan; start {started:.1f} s; bytes {'the same' if same else 'DIFFER'}",
                flush=True,
            )
        return found

    def kills(self) -> dict[str, Any]:
        """Two workers, killed at random moments."""
        if self._reference is None:
            self._alone()
        draw, ended = random.Random(self._options.seed), threading.Event()
        kills, every = self._options.kills, self._options.every
        killed: list[int] = []
        with _warm_workers(2) as (client, _):

            def kill() -> None:
                while len(killed) < kills and not ended.wait(draw.uniform(0.2, 1.0) * every):
                    if workers := _processes_of_workers():
                        victim = draw.choice(workers)
                        killed.append(victim.pid)
                        victim.kill()

            killer = threading.Thread(target=kill)
            killer.start()
            seconds = self._segment("killed", Pool(scheduler=client.scheduler.address))
            ended.set()
            killer.join()
        table = pd.read_csv(self._folder / "killed" / "scans.csv").query("status != 'all'")
        repeated = sum(_times_begun(log) - 1 for log in (self._folder / "killed").glob(f"*/{JOURNAL}/{LOG}"))
        same = self._bytes("killed") == self._reference
        whole = table.scan.is_unique and len(table) == self._options.scans and (table.status == "segmented").all()
        print(
            f"{len(killed)} kills, {repeated} scans begun again: {seconds:.1f} s; "
            f"{'nothing lost or doubled' if whole else 'SCANS ARE MISSING'}; bytes {'the same' if same else 'DIFFER'}",
            flush=True,
        )
        return {"kills": len(killed), "begun_again": repeated, "seconds": seconds, "whole": bool(whole), "same": same}

    def trainings(self) -> dict[str, Any]:
        """The grid of trainings; by default an experiment works on them as one worker does."""
        count = self._options.trainings
        grid = Grid(self._folder, count)
        found: dict[str, Any] = {}
        for workers in self._options.by:
            with redirect_stdout(StringIO()):
                seconds = grid.run(f"by_{workers}", Pool(workers=workers))
            weights = grid.hash(f"by_{workers}")
            found[f"workers_{workers}"] = {"seconds": seconds, "weights": weights}
            print(f"{workers} workers: {seconds:.1f} s for {count} trainings; weights {weights[:12]}", flush=True)
        return found

    def tasks(self) -> dict[str, Any]:
        """The scheduler's memory."""
        found = alone(_do_nothing, self._options.tasks)
        print(
            f"{self._options.tasks} tasks: {found['memory_mb']:.0f} MB more, "
            f"{1000 * found['memory_mb'] / self._options.tasks:.1f} kB each, {found['per_second']:.0f} tasks/s",
            flush=True,
        )
        return found

    def _alone(self) -> float:
        self._segment("warm_up", Pool(), scans=self._one_scan())
        seconds = self._segment("alone", Pool())
        self._reference = self._bytes("alone")
        return seconds

    def _one_scan(self) -> Path:
        folder = self._folder / "one_scan"
        folder.mkdir(exist_ok=True)
        first = next(self._scans.iterdir())
        (folder / first.name).write_bytes(first.read_bytes())
        return folder

    def _segment(self, name: str, pool: Pool, scans: Path | None = None) -> float:
        """Segment the folder; returns the time (s)."""
        prediction = PredictionSettings(chunk_size=256, batch=1, precision="float32")
        settings = ScanSettings("pore", (0.5,), prediction, report=self._options.report)
        model = load_model(str(self._folder / "model.pt"))
        started = time.perf_counter()
        out = self._folder / name
        command = ScanCommand(str(scans or self._scans), str(out), model, settings, None, Ranks(), False, pool=pool)
        with bars_shown(False), redirect_stdout(StringIO()):
            command.run()
        return time.perf_counter() - started

    def _bytes(self, name: str) -> dict[str, str]:
        """Hashes of mask and probability of all scans."""
        folders = sorted(path for path in (self._folder / name).iterdir() if path.is_dir())
        return {f"{folder.name}/{file}": value for folder in folders for file, value in hashes(folder).items()}


def _times_begun(log: Path) -> int:
    return sum(" worker " in line for line in log.read_text().splitlines())


@contextmanager
def _warm_workers(count: int) -> Iterator[tuple[Any, float]]:
    """A client of running workers that have imported everything, and how long that took (s)."""
    started = time.perf_counter()
    with Pool(workers=count).opened(threads=1) as client:
        client.run(_import)
        yield client, time.perf_counter() - started


def _processes_of_workers() -> list[psutil.Process]:
    """Also those that just start, which no scheduler knows yet."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "spawn_main" in " ".join(process.cmdline()):
                found.append(process)
    return found


def _import() -> None:
    import pipeline.workflows  # noqa: F401


def _nothing(number: int) -> None:
    return None


def _do_nothing(count: int) -> dict[str, Any]:
    with Pool(workers=2).opened(in_process=True) as client:
        list(in_tasks(client, "nothing", _nothing, range(10)))
        before, started = resident_peak(), time.perf_counter()
        for _ in in_tasks(client, "nothing", _nothing, range(count)):
            pass
        seconds = time.perf_counter() - started
        return {"tasks": count, "memory_mb": resident_peak() - before, "per_second": count / seconds}


def main(words: Sequence[str] | None = None) -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--scans", type=int, default=64)
    parser.add_argument("--side", type=int, default=512, help="of each scan (px)")
    parser.add_argument("--report", action="store_true", help="also measure pores and write reports")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--every", type=float, default=8.0, help="longest time between two kills (s)")
    parser.add_argument("--by", type=int, nargs="+", default=[1, 2], metavar="N", help="numbers of workers")
    parser.add_argument("--trainings", type=int, default=8)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="also write the numbers to this file")
    options = parser.parse_args(words)
    torch.set_num_threads(1)
    logging.getLogger("vlsenet").setLevel(logging.CRITICAL)
    with TemporaryDirectory() as folder:
        benchmark = Benchmark(Path(folder), options)
        results = {part: getattr(benchmark, part)() for part in PARTS if part in options.parts.split(",")}
    if options.output is not None:
        write_json(options.output, {"machine": machine(torch.device("cpu")), **results})


if __name__ == "__main__":
    main()
