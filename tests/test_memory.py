from __future__ import annotations

import numpy as np
import torch

from pipeline.memory import peak_bytes, peak_memory


def test_the_peak_of_the_memory_holds_what_was_used() -> None:
    before = peak_memory()
    block = np.ones(60_000_000, np.uint8)
    after = peak_memory()
    assert after >= before
    assert after > block.nbytes


def test_peak_is_what_is_alive_at_once() -> None:
    start = torch.zeros(1000)

    def work() -> None:
        a = start + 1
        b = a + 1
        del a
        c = torch.cat([b, b])  # 4000 + 8000 bytes
        del b
        c.mul_(2)
        c[:500].view(5, 100)

    assert peak_bytes(work) == 12_000
