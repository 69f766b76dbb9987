"""A Slurm of one machine, on loopback, as root, from Debian's packages `slurm-wlm` and `munge`.

Munge, a controller and one node, with keys, sockets, states and logs in a folder of their own; nothing of an installed
Slurm is touched. `python -m tests.cluster.slurm_on_loopback FOLDER COMMAND ...` runs a command with it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
CONFIG = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=10
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str | None:
    """Why it can't be started here; None: it can."""
    os.environ["PATH"] = os.environ["PATH"] + ":/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"no {', '.join(missing)}: apt install slurm-wlm munge"
    return None if os.geteuid() == 0 else "Slurm's processes need root"


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """While this lasts, a Slurm runs; gives the variables by which its commands find it."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    config = folder / "slurm.conf"
    ports = {"controller_port": _free_port(), "node_port": _free_port()}
    config.write_text(CONFIG.format(host=socket.gethostname().partition(".")[0], folder=folder, **ports))
    variables = {"SLURM_CONF": str(config)}
    environment = {**os.environ, **variables}
    munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    commands = (
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *munge],
        ["slurmctld", "-D", "-f", str(config)],
        ["slurmd", "-D", "-f", str(config)],
    )
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            output = (folder / f"{command[0]}.out").open("wb")
            processes.append(subprocess.Popen(command, env=environment, stdout=output, stderr=output))
            if command[0] == "munged":
                _wait_until((folder / "munge.socket").exists, "munge")
        _wait_until(lambda: "idle" in _said(["sinfo", "-h", "-o", "%T"], environment), "Slurm", folder)
        yield variables
    finally:
        _said(["scancel", "--user=root"], environment)
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _said(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def _wait_until(is_so: object, what: str, folder: Path | None = None) -> None:
    deadline = time.monotonic() + 90
    while not is_so():  # type: ignore[operator]
        if time.monotonic() > deadline:
            logs = "" if folder is None else "".join(path.read_text()[-2000:] for path in sorted(folder.glob("*.log")))
            raise RuntimeError(f"{what} did not start\n{logs}")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    if (reason := why_not()) is not None:
        sys.exit(reason)
    with slurm(Path(sys.argv[1]).absolute()) as found:
        sys.exit(subprocess.run(sys.argv[2:], env={**os.environ, **found}).returncode)
