from __future__ import annotations

import numpy as np
import pytest
import torch

CPU = torch.device("cpu")


def test_functions_take_turns() -> None:
    from _timing import WARM_UP, interleaved

    calls: list[str] = []
    times = interleaved({name: lambda name=name: calls.append(name) for name in ("a", "b")}, 3, CPU)
    assert calls == ["a"] * WARM_UP + ["b"] * WARM_UP + ["a", "b"] * 3
    assert {name: len(values) for name, values in times.items()} == {"a": 3, "b": 3}


def test_spread_is_that_of_numpy() -> None:
    from _timing import ratios, spread

    values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6]
    keys = ("first_quartile", "median", "third_quartile")
    np.testing.assert_allclose([spread(values)[key] for key in keys], np.quantile(values, (0.25, 0.5, 0.75)))
    assert spread([2.0])["third_quartile"] == 2
    assert ratios([2.0, 6.0], [1.0, 2.0])["median"] == 2.5


def test_peak_memory_counts_what_is_alive_together() -> None:
    from _memory import peak_memory

    x = torch.rand(1000, 1000)  # 4 MB

    def work() -> None:
        a = x + 1
        b = a + 1
        del a
        c = b + 1
        del b, c

    work()
    assert peak_memory(work, CPU) == pytest.approx(8, rel=0.01)
