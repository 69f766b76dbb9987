"""Scores as Ignite takes them, for the engines of a training."""

from __future__ import annotations

import math

from ignite.engine import Events
from monai.engines import SupervisedTrainer
from monai.handlers import IgniteMetricHandler, from_engine

from pipeline.metrics import PoreMetric


def pore_metric(score: str, pooled: bool = True) -> IgniteMetricHandler:
    """A score of :class:`pipeline.metrics.PoreCounts` over an evaluator's ``pred`` and ``label``."""
    return IgniteMetricHandler(
        metric_fn=PoreMetric(score, pooled), output_transform=from_engine(["pred", "label"]), save_details=False
    )


class EpochMean:
    """Mean over an epoch of a number in the trainer's output, as ``trainer.state.metrics[name]``.

    Args:
        name: name of the metric.
        key: key of the number in the output.
    """

    def __init__(self, name: str, key: str) -> None:
        self._name = name
        self._key = key
        self._values: list[float] = []

    def attach(self, trainer: SupervisedTrainer) -> None:
        """Collect from ``trainer``; before handlers that read the metric at the end of an epoch."""
        # not Ignite's Average, which asks all processes: where there are several, they have the same loss
        trainer.add_event_handler(Events.EPOCH_STARTED, self._begin)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._end)

    def _begin(self, _: SupervisedTrainer) -> None:
        self._values.clear()

    def _add(self, trainer: SupervisedTrainer) -> None:
        self._values.append(trainer.state.output[self._key].item())

    def _end(self, trainer: SupervisedTrainer) -> None:
        trainer.state.metrics[self._name] = math.fsum(self._values) / len(self._values)
