"""The model that a training starts from answers in each step, and stays as it was."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pipeline.networks import SegmentationOutput, build_network
from pipeline.workflows import TrainingInferer, earlier_model, start_weights
from tests.workflows.export.cases import trained_model

SPARSE = [SimpleNamespace(labelled=5, pixels=9), SimpleNamespace(labelled=9, pixels=9)]


def test_it_is_asked_where_a_training_starts_from_it_and_labels_are_sparse(tmp_path: Path) -> None:
    origin = trained_model(tmp_path)
    network = build_network(**origin.network_settings)
    assert earlier_model(network, None, ["pore"], SPARSE) is None
    assert earlier_model(network, origin, ["pore"], SPARSE[1:]) is None
    assert earlier_model(network, origin, ["pore"], SPARSE) is not None


@pytest.mark.parametrize("kind", ["vlsenet", "unet"])
def test_it_answers_as_it_was_with_its_threshold_at_zero(tmp_path: Path, kind: str) -> None:
    origin = trained_model(tmp_path, network=kind)
    network = start_weights(
        build_network(**origin.network_settings), origin.network_settings, origin.text, origin, ["pore"]
    ).train()
    (threshold,) = origin.thresholds
    image, mask = torch.randn(2, 1, 32, 48), torch.zeros(2, 1, 32, 48)
    given = {} if kind == "unet" else {name: one for name, one in inputs_of(origin).items() if one is not None}
    infer = TrainingInferer("float32", earlier_model(network, origin, ["pore"], SPARSE))
    with torch.no_grad():
        expected = torch.logit(origin.network.eval()(image, **given).sigmoid())
        for value in network.parameters():
            value.add_(0.5)
    found = infer(image, network, **given, mask=mask)
    assert isinstance(found, SegmentationOutput)
    shift = torch.logit(torch.tensor(threshold))
    torch.testing.assert_close(found.earlier, expected - shift, rtol=1e-3, atol=1e-3)
    assert not found.earlier.requires_grad
    assert found.logits.requires_grad
    assert (found.logits - found.earlier).abs().max() > 0.1


def inputs_of(origin: object) -> dict[str, torch.Tensor | None]:
    """The text of two images."""
    from pipeline.workflows.label_loop.seen_image import text_of

    text = text_of(origin)  # type: ignore[arg-type]
    if text is None:
        return {}
    return {"text": text.text[None].expand(2, -1), "tokens": text.tokens[None].expand(2, -1, -1)}
