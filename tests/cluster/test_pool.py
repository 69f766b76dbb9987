"""What a user gives, and what is made of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cluster import Pool
from pipeline.cluster.pool import read_cluster_file
from pipeline.errors import UserError

SLURM = """
jobs: 3
jobqueue:
  slurm:
    cores: 8
    processes: 2
    memory: 16GB
    job_script_prologue: [module load python]
"""


def test_only_one_of_the_three_is_taken():
    assert not Pool()
    assert Pool(workers=1)
    assert Pool(scheduler="tcp://10.0.0.1:8786")
    with pytest.raises(UserError, match="--workers and --cluster: give only one of them"):
        Pool(workers=2, cluster="slurm.yaml")


def test_a_cluster_file_in_the_form_of_dask_jobqueue(tmp_path: Path):
    file = tmp_path / "slurm.yaml"
    file.write_text(SLURM)
    kind, settings, jobs = read_cluster_file(file)
    assert (kind, jobs, settings["memory"]) == ("slurm", 3, "16GB")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("jobs: [", "can't be read"),
        ("jobs: 2", "names no queue"),
        ("jobqueue: {slurm: {}, pbs: {}}", "names no queue, or several"),
        ("jobqueue: {slurmm: {}}", "choose from slurm, pbs"),
        ("jobs: 0\njobqueue: {slurm: {}}", "jobs: 0: give a whole number from 1"),
        ("job: 2\njobqueue: {slurm: {}}", "job: unknown"),
        ("1: 2\njob: 2\njobqueue: {slurm: {}}", "1, job: unknown"),
        ("jobqueue: {slurm: {job_script_prologue: module load x}}", "give a list, as in [module load x]"),
    ],
)
def test_other_files_are_refused_in_a_line(tmp_path: Path, text: str, told: str):
    file = tmp_path / "cluster.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=r"^--cluster .*cluster\.yaml: ") as caught:
        read_cluster_file(file)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"[1]", b'{"x": 1}', b"\xff\xfe"])
def test_a_file_that_no_scheduler_wrote_is_told(tmp_path: Path, content: bytes):
    file = tmp_path / "scheduler.json"
    file.write_bytes(content)
    told = r"^--scheduler .*scheduler\.json: it is no file of a scheduler; .*--scheduler-file"
    with pytest.raises(UserError, match=told), Pool(scheduler=str(file)).opened():
        pass


def test_the_job_script_gives_a_task_all_cores_of_its_worker(tmp_path: Path):
    """As Slurm's jobs would be started: one task at a time, with half of the cores of a job of two workers."""
    file = tmp_path / "slurm.yaml"
    file.write_text(SLURM)
    import dask_jobqueue

    settings = Pool(cluster=str(file)).job_settings(read_cluster_file(file)[1])
    settings["scheduler_options"] |= {"host": "127.0.0.1"}
    with dask_jobqueue.SLURMCluster(**settings) as cluster:
        script = cluster.job_script()
        assert cluster.dashboard_link.startswith("http://127.0.0.1:")
    assert script.index("export OMP_NUM_THREADS=4") < script.index("module load python")
    assert "--nworkers 2" in script
    assert script.rindex("--nthreads 1") > script.index("--nthreads 4")


@pytest.mark.parametrize("before", [None, "error::DeprecationWarning"])
def test_semaphores_of_a_worker_that_was_killed_are_removed_without_a_word(before: str | None) -> None:
    code = """
import multiprocessing, os, sys
from pipeline.cluster.pool import start_quiet_tracker
before = dict(os.environ)
start_quiet_tracker()
assert dict(os.environ) == before
lock = multiprocessing.get_context("spawn").Lock()
os._exit(0)
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    if before is not None:
        environment["PYTHONWARNINGS"] = before
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
