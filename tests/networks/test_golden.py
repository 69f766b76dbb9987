"""Outputs on a fixed seed: a change of the computation is seen, whether it was meant or not.

After a change that was meant: `python -m tests.networks.test_golden` writes the file anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.networks.cases import CASES, batch, build

GOLDEN = Path(__file__).with_name("golden.json")


def outputs(case: str) -> list[float]:
    """Mean, spread and four single logits of a network in evaluation mode, in double precision."""
    network = build(case).double().eval()
    inputs = {name: tensor.double() for name, tensor in batch(2, 1, 37, 50).items()}
    with torch.no_grad():
        logits = network(**inputs)
    points = [logits[0, 0, 0, 0], logits[0, 0, 18, 25], logits[1, 0, 36, 49], logits[1, 0, 5, 40]]
    return [float(value) for value in (logits.mean(), logits.std(), *points)]


@pytest.mark.parametrize("case", CASES)
def test_outputs_on_a_fixed_seed(case: str) -> None:
    assert outputs(case) == pytest.approx(json.loads(GOLDEN.read_text())[case], rel=1e-6, abs=1e-8)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({case: outputs(case) for case in CASES}, indent=1) + "\n")
