"""Workers that Dask itself would not replace."""

from __future__ import annotations

import pytest
from distributed import Status

from pipeline.cluster import Pool, in_tasks, pool


def _doubled(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("timeout", ["1ms", "60s"])
def test_a_worker_that_dask_gave_up_is_followed_by_another(timeout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was not back in time is closed and forgotten by Dask; one that died while it started is kept as failed.

    Either way tasks waited for ever.
    """
    monkeypatch.setitem(pool.SETTINGS, "distributed.deploy.lost-worker-timeout", timeout)
    with Pool(workers=1).opened(in_process=True) as client:
        first = client.cluster.workers[0]
        client.sync(first.close, callback_timeout=20)
        assert first.status is Status.closed
        client.wait_for_workers(1, timeout=20)
        assert [done.value for done in in_tasks(client, "number", _doubled, range(3))] == [0, 2, 4]
        assert client.cluster.workers[0] is not first
