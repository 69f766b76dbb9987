from __future__ import annotations

import pytest
import torch


def test_a_shift_of_all_logits_is_no_change_of_the_picture() -> None:
    from text_effect import compare

    own = torch.randn(200, 200, generator=torch.Generator().manual_seed(0))
    row = compare(own, own + 3, 0.5)
    assert row["shift"] == pytest.approx(3, rel=1e-5)
    assert row["picture"] < 1e-6
    assert row["flips"] < 1e-3


def test_turned_over_a_picture_changes_by_twice_its_spread() -> None:
    from text_effect import compare

    own = torch.randn(200, 200, generator=torch.Generator().manual_seed(0))
    own -= own.mean()
    row = compare(own, -own, 0.5)
    assert abs(row["shift"]) < 1e-6
    assert row["picture"] == pytest.approx(2, rel=1e-5)
    assert row["flips"] > 0.999
