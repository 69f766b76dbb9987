"""How busy the machine of a training is, by the names that MLflow shows as system metrics."""

from __future__ import annotations

from functools import cached_property

from ignite.engine import Events
from monai.engines import SupervisedTrainer

#: what MLflow's pages look for
PREFIX = "system/"
#: steps of a training between two looks: of the processor each tells the mean since the one before
_STEPS = 10


class MachineUse:
    """Processor, memory and NVIDIA's GPUs over an epoch, by MLflow's own monitors.

    MLflow's logging of system metrics speaks with the store from a thread of its own, and fails where that is away;
    here the numbers go with those of the epoch. GPUs are seen where `nvidia-ml-py` is installed.
    """

    def attach(self, trainer: SupervisedTrainer) -> None:
        """Look now and then while a training goes on."""
        trainer.add_event_handler(Events.ITERATION_COMPLETED(every=_STEPS), self._look)

    def of_epoch(self) -> dict[str, float]:
        """Means since the last call, as in `system/cpu_utilization_percentage`."""
        self._look()
        found: dict[str, float] = {}
        for monitor in self._monitors:
            found |= {f"{PREFIX}{name}": float(value) for name, value in monitor.aggregate_metrics().items()}
            monitor.clear_metrics()
        return found

    def _look(self) -> None:
        for monitor in self._monitors:
            monitor.collect_metrics()

    @cached_property
    def _monitors(self) -> list:
        from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
        from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor

        try:
            return [CPUMonitor(), GPUMonitor()]
        except (ImportError, RuntimeError):  # no GPU, or nothing that asks it
            return [CPUMonitor()]
