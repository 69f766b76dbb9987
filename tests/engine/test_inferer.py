from __future__ import annotations

import pytest
import torch

from pipeline.engine.inferer import MicrographInferer
from pipeline.engine.prediction import PredictionSettings
from pipeline.networks import build_network
from pipeline.synthetic import generate

PHASES = 3


@pytest.mark.parametrize("network", ["vlsenet", "unet"])
def test_phases_that_an_image_does_not_name_are_not_asked_for(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    net = build_network(network, features=[4, 4, 8, 8, 8], text_dim=8, phases=PHASES).eval()
    asked: list[int] = []

    def of(named: torch.Tensor | None) -> torch.Tensor:
        return MicrographInferer(PredictionSettings(precision="float32"))(
            images, net, text=text, tokens=tokens, named=named
        )

    images = torch.stack([torch.from_numpy(generate((96, 128), seed=seed).image)[None].float() for seed in (1, 2)])
    text, tokens = torch.randn(2, PHASES, 8), torch.randn(2, PHASES, 5, 8)
    predict = MicrographInferer._predict

    def noted(self, image, network, features, *rest):
        asked.append(features.phases)
        return predict(self, image, network, features, *rest)

    monkeypatch.setattr(MicrographInferer, "_predict", noted)
    everything = of(None)
    assert everything.shape == (2, PHASES, 96, 128)
    named = torch.tensor([[True, False, True], [False, True, False]])
    some = of(named)
    torch.testing.assert_close(some[named], everything[named], atol=1e-6, rtol=0)
    if network == "vlsenet":
        assert asked == [PHASES, PHASES, 2, 1]
        assert not some[~named].any()
    else:  # it gives all phases in one pass
        torch.testing.assert_close(some, everything)
