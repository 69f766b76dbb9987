"""A scheduler with TLS, over loopback, with certificates of our own, by the settings that the guide names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import LocalCluster
from distributed.security import Security

from pipeline.cluster import Pool, in_tasks
from pipeline.errors import UserError


def _settings(folder: Path) -> dict[str, Any]:
    """As in a file of Dask's configuration, with new certificates."""
    made = Security.temporary()
    assert made.tls_ca_file is not None
    assert made.tls_client_key is not None
    for name, text in {"cert.pem": made.tls_ca_file, "key.pem": made.tls_client_key}.items():
        (folder / name).write_text(text)
    found = {"distributed.comm.require-encryption": True, "distributed.comm.tls.ca-file": str(folder / "cert.pem")}
    for role in ("scheduler", "worker", "client"):
        found |= {f"distributed.comm.tls.{role}.{name}": str(folder / f"{name}.pem") for name in ("cert", "key")}
    return found


def test_tasks_go_to_a_scheduler_with_tls_and_only_with_its_certificate(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    (tmp_path / "other").mkdir()
    own, others = _settings(tmp_path), _settings(tmp_path / "other")
    local = {"processes": False, "host": "127.0.0.1", "dashboard_address": None}
    with dask.config.set(own):
        cluster = LocalCluster(n_workers=1, threads_per_worker=1, protocol="tls", security=Security(), **local)
    with cluster:
        pool = Pool(scheduler=cluster.scheduler_address)
        with dask.config.set(own), pool.opened() as client:
            assert client.scheduler.address.startswith("tls://127.0.0.1:")
            assert [done.value for done in in_tasks(client, "number", abs, [-1, -2])] == [1, 2]
        told = "no Dask scheduler answers there .* Dask's configuration must name the certificates"
        with pytest.raises(UserError, match=told), pool.opened():  # none
            pass
        with dask.config.set(others), pytest.raises(UserError, match=told), pool.opened():
            pass
