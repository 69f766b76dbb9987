from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine
from ignite.handlers import EMAHandler
from torch.optim.swa_utils import AveragedModel

from pipeline.workflows import AverageWarmUp

MOMENTUM, RANDOM = 0.02, -50.0


def trained(steps: int, stops: int | None = None) -> tuple[EMAHandler, list[torch.Tensor]]:
    """The average of a weight that grows by 1 in each step, and the weight after each; `stops`: it is resumed there."""
    network = torch.nn.Linear(1, 1, bias=False)
    network.weight.data.fill_(RANDOM)
    weights: list[torch.Tensor] = []

    def step(*_: object) -> None:
        network.weight.data.add_(1.0)
        weights.append(network.weight.data.clone())

    average = EMAHandler(network, momentum=MOMENTUM)
    for begin, end in [(0, steps)] if stops is None else [(0, stops), (stops, steps)]:
        trainer = Engine(step)
        average.attach(trainer)
        AverageWarmUp(MOMENTUM).attach(trainer)
        trainer.load_state_dict({"epoch_length": 1, "max_epochs": end, "iteration": begin})
        trainer.run([None])
    return average, weights


@pytest.mark.parametrize("steps", [1, 20, 700])
def test_it_is_pytorchs_average_with_the_same_shares(steps: int) -> None:
    average, weights = trained(steps)
    one = torch.nn.Linear(1, 1, bias=False)
    one.weight.data.fill_(RANDOM)

    def shared(kept: torch.Tensor, now: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
        # before the first step there is one model in PyTorch's average already: what the training starts with
        return torch.lerp(now, kept, min(1 - MOMENTUM, float(count) / (9 + float(count))))

    expected = AveragedModel(one, avg_fn=shared)
    expected.update_parameters(one)
    for weight in weights:
        one.weight.data.copy_(weight)
        expected.update_parameters(one)
    torch.testing.assert_close(average.ema_model.weight, expected.module.weight)


def test_a_short_training_forgets_what_it_started_with() -> None:
    average, weights = trained(50)
    # with the momentum alone, 0.98 ** 50 = 0.36 of the average would be the random weight
    assert weights[24] < average.ema_model.weight < weights[-1]


def test_a_resumed_training_has_the_same_average() -> None:
    whole, resumed = trained(40)[0], trained(40, stops=15)[0]
    assert torch.equal(whole.ema_model.weight, resumed.ema_model.weight)
