from __future__ import annotations

import pytest
import torch

from pipeline.workflows import warmup_cosine


def test_it_rises_linearly_then_falls_to_the_final_factor():
    factor = warmup_cosine(total_steps=100, warmup_steps=10, final=0.01)
    assert [factor(step) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert factor(55) == pytest.approx((1 + 0.01) / 2)  # half way down
    assert factor(100) == pytest.approx(0.01)
    assert factor(500) == pytest.approx(0.01)
    falling = [factor(step) for step in range(10, 101)]
    assert falling == sorted(falling, reverse=True)


def test_a_schedule_resumed_with_more_steps_never_rises_to_the_full_rate():
    parameter = torch.nn.Parameter(torch.zeros(1))

    def schedule(total: int):
        return torch.optim.lr_scheduler.LambdaLR(torch.optim.SGD([parameter], lr=1.0), warmup_cosine(total, 2))

    short = schedule(20)
    for _ in range(20):
        short.optimizer.step()
        short.step()
    longer = schedule(40)
    longer.load_state_dict(short.state_dict())
    longer.optimizer.step()
    longer.step()
    assert longer.get_last_lr()[0] == pytest.approx(warmup_cosine(40, 2)(21))
