"""Where tasks run: processes of this machine, a running Dask cluster, or jobs of a cluster's queue.

A worker takes one task at a time, which has all cores of the worker. Nothing listens to the network unless the user
names a cluster; Dask's dashboard listens to this machine only, unless told otherwise.
"""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cluster.kept_workers import close, forget_failed, keep_workers
from pipeline.errors import UserError, first_line

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger("vlsenet")

LOOPBACK = "127.0.0.1"
#: what Dask shall do differently: a worker has no second task in hand while others have none, a task may lose its
#: worker several times (it goes on where it was, and wall times end workers), a worker that is started again is not
#: taken for lost while a busy machine starts it
SETTINGS = {
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.allowed-failures": 10,
    "distributed.deploy.lost-worker-timeout": "60s",
}
#: for `dask worker` in a job: one task at a time, no memory limit of Dask's, no dashboard of its own on the network
_WORKER_WORDS = ("--nthreads", "1", "--memory-limit", "0", "--no-dashboard")
#: variables by which libraries know their number of threads
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
#: settings of a queue that are lists of lines or words; the letters of a text would count as such
_LISTS = ("worker_extra_args", "job_script_prologue", "job_extra_directives", "job_directives_skip")
#: classes of dask-jobqueue, by the name of their section
QUEUES = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "htcondor": "HTCondorCluster",
    "oar": "OARCluster",
    "moab": "MoabCluster",
}


@dataclass(frozen=True)
class Pool:
    """What shall work on many tasks; without any of the first three, they are done one after the other.

    Attributes:
        workers: number of processes on this machine.
        scheduler: address of a running Dask scheduler, or the file that it wrote (`--scheduler-file`).
        cluster: YAML file with settings of dask-jobqueue.
        dashboard: address on which the dashboard listens; that of a running scheduler is its own.

    Raises:
        UserError: more than one of the three, or less than one worker.
    """

    workers: int | None = None
    scheduler: str | None = None
    cluster: str | None = None
    dashboard: str = f"{LOOPBACK}:0"

    def __post_init__(self) -> None:
        given = [f"--{name}" for name in ("workers", "scheduler", "cluster") if getattr(self, name) is not None]
        if len(given) > 1:
            raise UserError(f"{' and '.join(given)}: give only one of them")
        if self.workers is not None and self.workers < 1:
            raise UserError(f"--workers {self.workers}: give 1 or more")

    def __bool__(self) -> bool:
        """Whether one of them was given."""
        return any(one is not None for one in (self.workers, self.scheduler, self.cluster))

    @contextmanager
    def opened(self, threads: int | None = None, in_process: bool = False) -> Iterator[Client]:
        """While this lasts, tasks can be given to the workers.

        Args:
            threads: CPU threads of each task on this machine; None: an equal share of the cores.
            in_process: the workers of this machine are threads of this process, for tasks that start processes.

        Raises:
            UserError: no scheduler answers; the cluster's settings can't be used; a package is missing.
        """
        import dask
        from distributed import Client

        with dask.config.set(SETTINGS), ExitStack() as opened:
            _quieten()
            if self.scheduler is not None:
                client = opened.enter_context(self._connected(self.scheduler))
            else:
                cluster = self._queue() if self.cluster is not None else self._local(threads, in_process)
                opened.callback(close, cluster)
                client = opened.enter_context(Client(cluster))
            if find_spec("bokeh") is not None:
                logger.info("dashboard: %s", self._dashboard_link(client))
            yield client

    def _dashboard_link(self, client: Client) -> str:
        """Where the dashboard is seen; Dask names the scheduler's host, on which it need not listen."""
        port = client.scheduler_info()["services"].get("dashboard")
        if self.scheduler is not None or port is None:
            return str(client.dashboard_link)
        host = self.dashboard.rpartition(":")[0]
        return f"http://{platform.node() if host in ('', '0.0.0.0') else host}:{port}/status"

    def _local(self, threads: int | None, in_process: bool) -> Any:
        from distributed import LocalCluster

        if not in_process:
            start_quiet_tracker()
        count = self.workers or 1
        share = str(threads or max(1, len(_own_cores()) // count))
        own = {} if in_process else {"host": LOOPBACK, "env": dict.fromkeys(_THREADS, share)}
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=not in_process,
            dashboard_address=self.dashboard,
            worker_dashboard_address=f"{LOOPBACK}:0",
            memory_limit=0,  # scans choose their chunks by the memory themselves
            silence_logs=logging.ERROR,
            **own,
        )
        keep_workers(cluster, count, "1s")
        return cluster

    def _connected(self, address: str) -> Client:
        from distributed import Client

        try:
            if Path(address).is_file():
                _check_scheduler_file(Path(address))
                return Client(scheduler_file=address, timeout=30)
            return Client(address, timeout=30)
        except UserError:
            raise
        except Exception as error:  # Dask has many, from assertions to those of its protocols
            remedy = "start one by `dask scheduler`, and give the address that it prints, such as tcp://10.0.0.1:8786"
            if address.startswith("tls"):
                remedy = "with TLS, Dask's configuration must name the certificates (docs/guide/cluster.md)"
            raise UserError(
                f"--scheduler {address}: no Dask scheduler answers there ({first_line(error)}); {remedy}"
            ) from error

    def _queue(self) -> Any:
        kind, settings, jobs = read_cluster_file(Path(str(self.cluster)))
        try:
            import dask_jobqueue
        except ImportError as error:
            raise UserError(
                f"--cluster {self.cluster}: this needs dask-jobqueue: pip install 'vlsenet[cluster]'"
            ) from (error)
        try:
            cluster = getattr(dask_jobqueue, QUEUES[kind])(**self.job_settings(settings))
        except (TypeError, ValueError, RuntimeError, OSError) as error:
            raise UserError(f"--cluster {self.cluster}: {first_line(error)}") from error
        workers = jobs * int(settings.get("processes") or 1)
        self._ask(cluster, workers)
        keep_workers(cluster, workers, "20s")  # a job that ends by its wall time is followed by another
        logger.info("asked for %d jobs; they work as they start", jobs)
        return cluster

    def _ask(self, cluster: Any, workers: int) -> None:
        """For jobs, at once: what the queue says of the first ones is the user's to know."""

        async def asked() -> None:
            cluster.scale(workers)
            await cluster

        try:
            cluster.sync(asked)
        except (RuntimeError, OSError) as error:
            forget_failed(cluster)
            close(cluster)
            why = " ".join(str(error).rpartition("stderr:")[2].split())
            raise UserError(f"--cluster {self.cluster}: the queue takes no job: {why}") from error

    def job_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """A user's settings, with one task at a time for each worker, which has all cores of it."""
        share = max(1, int(settings.get("cores") or 1) // int(settings.get("processes") or 1))
        exports = [f"export {name}={share}" for name in _THREADS]
        return {
            **settings,
            # of an option that is given twice, the last counts
            "worker_extra_args": [*settings.get("worker_extra_args", []), *_WORKER_WORDS],
            "job_script_prologue": [*exports, *settings.get("job_script_prologue", [])],
            "scheduler_options": {"dashboard_address": self.dashboard, **settings.get("scheduler_options", {})},
        }


def _check_scheduler_file(path: Path) -> None:
    try:
        str(json.loads(path.read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"--scheduler {path}: it is no file of a scheduler; give the one that `dask scheduler --scheduler-file` "
            "wrote, or the address that it prints, such as tcp://10.0.0.1:8786"
        ) from error


def read_cluster_file(path: Path) -> tuple[str, dict[str, Any], int]:
    """The queue, its settings and the number of jobs of a YAML file in the form of dask-jobqueue's own.

    Raises:
        UserError: it can't be read, or is not of this form.
    """
    import yaml

    example = "write `jobs: 4` and, below `jobqueue:` and the name of the queue, its settings (docs/guide/cluster.md)"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"--cluster {path}: it can't be read ({first_line(error)}); {example}") from error
    queues = content.get("jobqueue") if isinstance(content, dict) else None
    if not isinstance(queues, dict) or len(queues) != 1:
        raise UserError(f"--cluster {path}: it names no queue, or several; {example}")
    ((kind, settings),) = queues.items()
    if kind not in QUEUES or not isinstance(settings, dict):
        raise UserError(f"--cluster {path}: jobqueue: {kind}: choose from {', '.join(QUEUES)}, with settings below it")
    jobs = content.get("jobs", 1)
    if not isinstance(jobs, int) or jobs < 1:
        raise UserError(f"--cluster {path}: jobs: {jobs}: give a whole number from 1")
    for name in _LISTS:
        if not isinstance(settings.get(name, []), list):
            raise UserError(f"--cluster {path}: {name}: {settings[name]}: give a list, as in [{settings[name]}]")
    if unknown := sorted(map(str, content.keys() - {"jobs", "jobqueue"})):
        raise UserError(f"--cluster {path}: {', '.join(unknown)}: unknown; {example}")
    return str(kind), settings, jobs


def _quieten() -> None:
    """Restarts of workers and values that died with one are told by the task; an interrupt ends Dask's own tasks."""
    for name, level in {"distributed": logging.ERROR, "distributed.scheduler": logging.CRITICAL}.items():
        logging.getLogger(name).setLevel(level)
    for name in ("asyncio", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def start_quiet_tracker() -> None:
    """Start multiprocessing's tracker, which removes the semaphores of workers that were killed, without a word of it.

    It would report them as leaks, after an interrupt that a worker did not follow in time.
    """
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [before, "ignore:resource_tracker"]))
    try:
        resource_tracker.ensure_running()
    finally:
        del os.environ["PYTHONWARNINGS"]
        if before is not None:
            os.environ["PYTHONWARNINGS"] = before


def _own_cores() -> set[int]:
    """The cores that this process may use; schedulers give a job a part of a machine."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))
