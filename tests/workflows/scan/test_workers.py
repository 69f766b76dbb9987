"""A folder of scans on a Dask cluster of several processes, one of which is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image

from pipeline.cluster import Pool
from pipeline.errors import UserError
from pipeline.synthetic import generate
from pipeline.workflows import Ranks, ScanCommand
from tests.cluster import slurm_on_loopback
from tests.paths import ROOT
from tests.workflows.export.cases import trained_model
from tests.workflows.scan.files import files, scans_table, settings_of


def dask(*words: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "distributed.cli." + words[0], *words[1:], "--host", "127.0.0.1", "--no-dashboard"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[Path, dict[str, subprocess.Popen[bytes]]]]:
    """The file of a scheduler, and its two workers by name, which nobody starts again."""
    file = tmp_path / "scheduler.json"
    scheduler = dask("dask_scheduler", "--port", "0", "--scheduler-file", str(file))
    of_worker = ("--scheduler-file", str(file), "--nthreads", "1", "--no-nanny")
    workers = {name: dask("dask_worker", *of_worker, "--name", name) for name in ("first", "second")}
    try:
        deadline = time.monotonic() + 120
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield file, workers
    finally:
        for process in (*workers.values(), scheduler):
            process.kill()
            process.wait()


def scans_in(folder: Path) -> Path:
    folder.mkdir()
    for number in range(4):
        Image.fromarray(generate((280, 140), seed=number).image).save(folder / f"s{number}.png")
    return folder


def rows_of(folder: Path) -> pd.DataFrame:
    """Of the scans, without the last, of all of them."""
    return pd.read_csv(folder / "scans.csv").query("status != 'all'")


def test_a_killed_worker_and_a_bad_scan_change_no_byte_of_the_others(tmp_path: Path, cluster) -> None:
    file, workers = cluster
    model, out = trained_model(tmp_path), tmp_path / "out"
    scans = scans_in(tmp_path / "scans")
    (scans / "broken.tif").write_bytes(b"II*\0" + bytes(20))
    settings = settings_of(chunk_size=256, batch=1, precision="float32", report=False)

    def command(folder: Path, **more: Pool) -> ScanCommand:
        return ScanCommand(str(scans), str(folder), model, settings, None, Ranks(), False, **more)

    def kill_one() -> None:
        while not ended.is_set():
            for log in out.glob("s*/journal/log.txt"):
                name = log.read_text().partition("\n")[0].rpartition(" ")[2]
                if name in workers:
                    workers[name].kill()
                    killed.append((log, name))
                    return
            time.sleep(0.01)

    killed: list[tuple[Path, str]] = []
    ended = threading.Event()
    killer = threading.Thread(target=kill_one)
    killer.start()
    try:
        with pytest.raises(UserError, match=r"(?s)1 of 5 scans were not segmented:.*broken\.tif"):
            command(out, pool=Pool(scheduler=str(file))).run()
    finally:
        ended.set()
        killer.join()
    ((log, name),) = killed
    begun = [line.rpartition(" ")[2] for line in log.read_text().splitlines() if " worker " in line]
    assert begun == [name, "second" if name == "first" else "first"]  # and then it went on

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with pytest.raises(UserError, match="1 of 5"):
            command(tmp_path / "alone").run()
    finally:
        torch.set_num_threads(threads)
    tables = [scans_table(folder).set_index("scan") for folder in (out, tmp_path / "alone")]
    same = ["status", "porosity", "interval_95_low", "interval_95_high", "rock_pixels"]
    pd.testing.assert_frame_equal(tables[0][same], tables[1][same])
    assert tables[0].status.to_dict() == {"broken.tif": "failed", **{f"s{n}.png": "segmented" for n in range(4)}}
    assert tables[0].worker.str.endswith((" first", " second"), na=True).all()
    for number in range(4):
        assert files(out / f"s{number}") == files(tmp_path / "alone" / f"s{number}")
        assert json.loads((out / f"s{number}" / "manifest.json").read_text())["request"]["batch"] == 1
    page = (out / "scans.html").read_text()
    assert "5 scans: 4 segmented, 1 failed;" in page
    for number in range(4):
        assert f'<a href="s{number}/overview.png">s{number}.png</a>' in page
        assert Image.open(out / f"s{number}" / "thumbnail.webp").size == (120, 240)


@pytest.mark.slow
@pytest.mark.skipif(slurm_on_loopback.why_not() is not None, reason=str(slurm_on_loopback.why_not()))
def test_jobs_of_slurm_one_of_which_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another job follows, and all scans are segmented; the network is encrypted."""
    model, out = trained_model(tmp_path), tmp_path / "out"
    scans = scans_in(tmp_path / "scans")
    settings = settings_of(chunk_size=256, batch=1, precision="float32", report=False)
    file = tmp_path / "slurm.yaml"
    content = {
        "cores": 1,
        "memory": "2GB",
        "walltime": "00:20:00",
        "interface": "lo",
        "security": True,  # TLS with keys for this one command
        "shared_temp_directory": str(tmp_path),
        "python": sys.executable,
        "log_directory": str(tmp_path / "jobs"),
        "job_script_prologue": [f"export PYTHONPATH={ROOT}"],
    }
    file.write_text(json.dumps({"jobs": 2, "jobqueue": {"slurm": content}}))
    cancelled: list[str] = []
    ended = threading.Event()

    def cancel_one() -> None:
        while not ended.is_set():
            if any(out.glob("s*/journal/request.json")):
                jobs = subprocess.run(["squeue", "-h", "-t", "R", "-o", "%i"], capture_output=True, text=True)
                cancelled.extend(jobs.stdout.split()[:1])
                subprocess.run(["scancel", *cancelled], check=True)
                return
            time.sleep(0.02)

    with slurm_on_loopback.slurm(tmp_path / "slurm") as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        canceller = threading.Thread(target=cancel_one)
        canceller.start()
        try:
            ScanCommand(str(scans), str(out), model, settings, None, Ranks(), False, pool=Pool(cluster=str(file))).run()
        finally:
            ended.set()
            canceller.join()
    assert len(cancelled) == 1
    table = scans_table(out)
    assert table.status.to_list() == ["segmented"] * 4
    assert table.worker.str.contains("SLURMCluster").all()
