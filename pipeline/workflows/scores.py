"""Scores as Ignite takes them, for the engines of a training."""

from __future__ import annotations

from typing import Any

from ignite.metrics import Average
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

    def attach(self, trainer: SupervisedTrainer) -> None:
        """Collect from ``trainer``; before handlers that read the metric at the end of an epoch."""
        Average(output_transform=self._value).attach(trainer, self._name)

    def _value(self, output: dict[str, Any]) -> float:
        return output[self._key].item()
