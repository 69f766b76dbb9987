"""Keeps the number of workers of a Dask cluster: for each that is lost, another starts.

Dask starts a process again that died, but gives it up where it dies while it starts, or does not start in time; then
tasks would wait for ever. A job that ended by its wall time is followed by another only if somebody asks for it.
"""

from __future__ import annotations

import logging
from typing import Any

logger = logging.getLogger("vlsenet")

#: how long the end of the workers is waited for (s); what is left then ends with this process
_CLOSING = 90.0


def keep_workers(cluster: Any, count: int, interval: str) -> None:
    """See that there are always so many workers, until the cluster is closed.

    Args:
        cluster: of Dask, of this machine or of a queue.
        count: of its workers.
        interval: how often it is looked after, such as `1s`.
    """
    from distributed import Adaptive

    class Kept(Adaptive):
        async def recommendations(self, target: int) -> dict[str, Any]:
            forget_failed(cluster)
            return dict(await super().recommendations(target))

    cluster.adapt(Adaptive=Kept, minimum=count, maximum=count, interval=interval)


def forget_failed(cluster: Any) -> None:
    """Workers that could not start, or have ended: Dask counts them among those that will work some time."""
    from distributed import Status

    for name, worker in list(cluster.workers.items()):
        if worker.status is Status.created:  # the queue took no job for it; closing a cluster needs to know
            worker.status = Status.failed
        if worker.status in (Status.failed, Status.closed):
            del cluster.workers[name]


def close(cluster: Any) -> None:
    """End the workers and the scheduler; what does not end in time is left behind with a warning."""
    from distributed import TimeoutError as NoAnswerError

    try:
        cluster.close(timeout=_CLOSING)
    except KeyError:
        # Dask heard of the end of a worker that it had forgotten: workers and scheduler are closed by then
        logger.debug("Dask's list of workers lacked one that ended")
    except NoAnswerError:
        logger.warning("Dask's workers did not end in %.0f s; they end with this command", _CLOSING)
