"""One scan on two machines: a torchrun on each, which meet at an address; here both are this one, by two names."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import tifffile
import torch

from pipeline.synthetic import generate
from pipeline.workflows import Ranks, ScanCommand
from pipeline.workflows.model_file import TrainedModel
from tests.paths import CONFIGS, ROOT
from tests.workflows.export.cases import trained_model
from tests.workflows.scan.files import files, settings_of

HOSTS = ("localhost", "127.0.0.1")


class Nodes:
    """Two of them, with a process each.

    Args:
        folder: for what they say.
        scan: is segmented.
        model: by which.
        out: folder of the results.
    """

    def __init__(self, folder: Path, scan: Path, model: TrainedModel, out: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._folder = folder
        configs = [str(CONFIGS / name) for name in ("common.yaml", "scan.yaml", "multi_gpu_scan.yaml")]
        options = {"--input": scan, "--output_dir": out, "--checkpoint": model.path, "--chunk_size": 256}
        self._bundle = ["-m", "monai.bundle", "run", "--config_file", str(configs), "--device", "cpu"]
        self._bundle += [str(word) for pair in {**options, "--report": False}.items() for word in pair]
        self.agents: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """The next one."""
        number = len(self.agents)
        meeting = ["--rdzv_backend", "c10d", "--rdzv_id", "mosaic", "--rdzv_endpoint", f"{HOSTS[number]}:{self._port}"]
        launcher = ["-m", "torch.distributed.run", "--nnodes", "2", "--nproc_per_node", "1", *meeting]
        words = [sys.executable, *launcher, "--local_addr", HOSTS[number], *self._bundle]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        with (self._folder / f"node{number}.txt").open("wb") as said:
            self.agents.append(subprocess.Popen(words, cwd=self._folder, env=environment, stdout=said, stderr=said))

    def kill_rank_of_second(self) -> None:
        """With SIGKILL; its torchrun lives."""
        for process in psutil.Process(self.agents[1].pid).children(recursive=True):
            process.kill()

    def ended(self) -> tuple[list[int], str]:
        """Statuses, and what both said."""
        statuses = [agent.wait(300) for agent in self.agents]
        return statuses, "\n".join((self._folder / f"node{number}.txt").read_text() for number in range(2))


@pytest.mark.slow  # four starts of torch, one of which waits for another
def test_a_mosaic_on_two_machines_one_of_which_dies(tmp_path: Path) -> None:
    model, scan, out = trained_model(tmp_path), tmp_path / "mosaic.tif", tmp_path / "out"
    tifffile.imwrite(scan, generate((2000, 1800), seed=3).image, tile=(128, 128))

    first = Nodes(tmp_path, scan, model, out)
    first.start()
    time.sleep(3)  # the second comes later
    first.start()
    deadline = time.monotonic() + 240
    while len([log for log in out.glob("journal/chunks-*.jsonl") if log.read_text().count("\n") > 1]) < 2:
        assert time.monotonic() < deadline, first.ended()
        time.sleep(0.01)
    first.kill_rank_of_second()
    statuses, said = first.ended()
    assert all(statuses), said
    assert said.count("another process has ended; finished work is kept: run the same command again to resume") == 1
    assert not (out / "manifest.json").exists()

    again = Nodes(tmp_path, scan, model, out)
    again.start()
    again.start()
    statuses, said = again.ended()
    assert statuses == [0, 0], said
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        settings = settings_of(chunk_size=256, precision="auto", report=False, threshold=model.threshold)
        ScanCommand(str(scan), str(tmp_path / "one"), model, settings, None, Ranks(), False).run()
    finally:
        torch.set_num_threads(threads)
    assert files(out) == files(tmp_path / "one")
