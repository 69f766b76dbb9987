from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.workflows.export.checked_export import CHECKED_SIZES, verify
from pipeline.workflows.export.exported_graph import ExportSource, Inputs
from tests.workflows.export.cases import FEW_PARTS, PROMPT, trained_model


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
        (lambda good: good + 2e-4, r"model\.x was not written: .* differs from PyTorch by 2\.0e-04"),
        (lambda good: good * float("nan"), "differs from PyTorch by nan"),
        (lambda good: good[..., :-1], "returns shape"),
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


@pytest.mark.parametrize(
    "wrong",
    [
        lambda inputs, own: own,  # the text of the model built in
        lambda inputs, own: {name: inputs[name][:1].expand_as(inputs[name]) for name in own},  # the first one's for all
    ],
    ids=["ignored", "mixed up"],
)
def test_a_graph_that_reads_the_wrong_text_is_refused(tmp_path: Path, wrong) -> None:
    model = trained_model(tmp_path, switches=FEW_PARTS)
    features = model.text.get(PROMPT)
    source = ExportSource(model, features, True)

    def run(inputs: Inputs) -> torch.Tensor:
        batch = len(inputs["image"])
        own = {"text": features.text.repeat(batch, 1), "tokens": features.tokens.repeat(batch, 1, 1)}
        with torch.no_grad():
            probability: torch.Tensor = source.graph(inputs["image"], **wrong(inputs, own))
        return probability

    with pytest.raises(UserError, match="differs from PyTorch"):
        verify(source, run, "model.x")
