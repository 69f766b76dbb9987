from __future__ import annotations

import time

import torch

from pipeline.text.clip_source import UntrainedSource


def test_repeatable_distinct_and_normalised():
    one = UntrainedSource().encode(["pore", "long, connected cracks"])
    two = UntrainedSource().encode(["long, connected cracks"])
    assert torch.equal(one["long, connected cracks"].text, two["long, connected cracks"].text)
    assert one["pore"].text @ one["long, connected cracks"].text < 0.9
    for item in one.values():
        torch.testing.assert_close(item.text.norm(), torch.tensor(1.0))
        torch.testing.assert_close(item.tokens.norm(dim=-1), torch.ones(77))


def test_the_same_on_each_machine():
    # values from another run: the seed and the form of the tower are part of what a demo checkpoint means
    text = UntrainedSource().encode(["pore"])["pore"].text
    torch.testing.assert_close(text[:4], torch.tensor([0.03315, 0.02574, -0.02944, 0.03058]), atol=1e-4, rtol=0)


def test_fast():
    import open_clip  # noqa: F401 (its import is not what is timed)

    start = time.process_time()
    UntrainedSource().encode(["pore", "cracks"])
    assert time.process_time() - start < 2


def test_says_that_it_is_untrained(caplog):
    UntrainedSource().encode(["pore"])
    assert "UNTRAINED" in caplog.text
