from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.workflows.export.graph import ExportSource, Inputs
from pipeline.workflows.export.verify import CHECKED_SIZES, verify
from tests.workflows.export.cases import PROMPT, trained_model


@pytest.fixture
def source(tmp_path: Path) -> ExportSource:
    model = trained_model(tmp_path, network="unet", norm="batch")
    return ExportSource(model, model.text.get(PROMPT), False)


def test_differences_are_measured_at_every_size(source: ExportSource) -> None:
    def slightly_off(inputs: Inputs) -> torch.Tensor:
        with torch.no_grad():
            off: torch.Tensor = source.graph(**inputs)
        off[-1, 0, -1, -1] += 3e-5
        return off

    differences = verify(source, slightly_off, "a")
    assert list(differences) == ["x".join(map(str, size)) for size in CHECKED_SIZES]
    assert list(differences.values()) == pytest.approx([3e-5] * len(CHECKED_SIZES), rel=0.01)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda good: good + 2e-4, r"model\.x is not written: .* differs from PyTorch by 2\.0e-04"),
        (lambda good: good * float("nan"), "differs from PyTorch by nan"),
        (lambda good: good[..., :-1], "gives"),
        (lambda good: good.view(-1, 3), "fails on images of 1x16x16"),
    ],
    ids=["off", "nan", "size", "error"],
)
def test_a_wrong_graph_is_refused(source: ExportSource, wrong, told: str) -> None:
    def run(inputs: Inputs) -> torch.Tensor:
        with torch.no_grad():
            return wrong(source.graph(**inputs))

    with pytest.raises(UserError, match=told):
        verify(source, run, "model.x")
