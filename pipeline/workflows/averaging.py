"""The moving average of the weights in the first steps of a training."""

from __future__ import annotations

from ignite.engine import Events
from monai.engines import SupervisedTrainer

#: of the average after n steps, (1 + n) / (10 + n) stays, as in TensorFlow's ExponentialMovingAverage with num_updates
_FORGETTING = 9


class AverageWarmUp:
    """Lets Ignite's `EMAHandler` forget the random weights with which a training starts.

    With the momentum of a long training, the average of a short one is half made of weights from its beginning. So the
    share of a step's weights is 0.9 in the first one and falls to `momentum`. It follows from the number of the step
    alone, so that a resumed training goes on exactly.

    Args:
        momentum: of the `EMAHandler`, in the end.
    """

    def __init__(self, momentum: float) -> None:
        self._momentum = momentum

    def attach(self, trainer: SupervisedTrainer) -> None:
        """Set the momentum before each step."""
        trainer.add_event_handler(Events.ITERATION_STARTED, self._set)

    def _set(self, trainer: SupervisedTrainer) -> None:
        trainer.state.ema_momentum = max(self._momentum, _FORGETTING / (_FORGETTING + trainer.state.iteration))
