from __future__ import annotations

import pytest
import torch

from pipeline.metrics import PoreCounts


@pytest.mark.parametrize("pores", [0, 3, 35, 70])
def test_the_dice_of_calling_everything_pore(pores):
    truth = (torch.arange(70) < pores).float()
    everything = PoreCounts.of(torch.ones(70), truth)
    for predicted in (torch.zeros(70), torch.ones(70), (torch.arange(70) % 3 == 0).float()):
        assert PoreCounts.of(predicted, truth).dice_of_all_pore == pytest.approx(everything.dice)
