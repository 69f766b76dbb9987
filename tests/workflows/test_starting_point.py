from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pipeline.errors import UserError
from pipeline.networks import build_network
from pipeline.text import TextStore, build_text_source, build_text_store
from pipeline.workflows import start_weights, warn_of_known_images
from tests.workflows.export.cases import trained_model
from tests.workflows.scan.phase_models import NAMES, phases_model


def test_the_weights_are_those_of_the_other_model(tmp_path: Path) -> None:
    origin = trained_model(tmp_path)
    network = build_network(**origin.network_settings)
    assert start_weights(network, origin.network_settings, origin.text, origin, ["pore"]) is network
    for name, value in origin.network.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name


def test_without_a_model_the_weights_stay(tmp_path: Path) -> None:
    origin = trained_model(tmp_path)
    torch.manual_seed(5)
    network = build_network(**origin.network_settings)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    start_weights(network, origin.network_settings, origin.text, None, ["pore"])
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())


@pytest.mark.parametrize(
    ("trained", "settings", "told"),
    [
        ({}, {"norm": "group"}, "give --norm instance"),
        ({}, {"features": None, "preset": "small"}, r'give --features "\[8,8,16,16,32\]"$'),
        ({"switches": {"context": False}}, {"switches": {}}, "give --switches::context false"),
        ({}, {"switches": {"alignment": False}, "norm": "batch"}, "--norm instance --switches::alignment true"),
        ({"network": "unet"}, {"network": "vlsenet"}, "give --network unet"),
        ({"text_source": "none"}, {}, "give --text_source none"),
        ({}, {"in_channels": 2}, "give --set flatten_shading=true"),
        ({}, {"phases": 3}, r"it knows 1 phase\(s\) \(pore\), and 3 are to be learned; a VLSE-Net of one phase lacks"),
    ],
)
def test_another_network_or_text_is_refused(tmp_path: Path, trained: dict, settings: dict, told: str) -> None:
    origin = trained_model(tmp_path, **trained)
    (tmp_path / "now").mkdir()
    now = trained_model(tmp_path / "now")
    settings = {**now.network_settings, **{"switches": trained.get("switches", {}), **settings}}
    names = ["pore", "clay", "crack"][: settings.get("phases", 1)]
    with pytest.raises(UserError, match=told):
        start_weights(build_network(**settings), settings, now.text, origin, names)


@pytest.mark.parametrize("network", ["unet", "vlsenet"])
@pytest.mark.parametrize("phases", [("clay", "pore", "silt grain"), ("crack", "clay"), ("clay", "a", "b", "pore")])
def test_phases_take_the_weights_of_their_names(
    tmp_path: Path, network: str, phases: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever their order and number, a phase that the model knows has its answer, to the bit."""
    source = build_text_source("learned", phases=NAMES)
    origin = phases_model(tmp_path, network, source=source)
    settings = {**origin.network_settings, "phases": len(phases)}
    text = build_text_store(build_text_source("learned", phases=phases), phases)
    with caplog.at_level(logging.INFO, "vlsenet"):
        started = start_weights(build_network(**settings), settings, text, origin, phases).eval()
    new = [name for name in phases if name not in NAMES]
    assert (f"does not know start from random ones: {', '.join(new)}" in caplog.text) == bool(new)
    image = torch.randn(1, 1, 32, 48)
    with torch.no_grad():
        found = _logits(started, text, phases, image)
        expected = _logits(origin.network.eval(), origin.text, NAMES, image)
    for number, name in enumerate(phases):
        if name in NAMES:
            torch.testing.assert_close(found[:, number], expected[:, NAMES.index(name)], rtol=0, atol=1e-6)


def _logits(network: torch.nn.Module, text: TextStore, phases: Sequence[str], image: torch.Tensor) -> torch.Tensor:
    features = text.together(list(phases))
    return network(image, features.text[None], features.tokens[None])


def test_a_phase_alone_takes_the_place_of_another(tmp_path: Path) -> None:
    """The default model of pores is where a training on any other phase may start."""
    origin = phases_model(tmp_path, "unet", ("pore",))
    settings = origin.network_settings
    started = start_weights(build_network(**settings), settings, origin.text, origin, ["clay"])
    for name, value in origin.network.state_dict().items():
        assert torch.equal(started.state_dict()[name], value), name


def test_images_that_the_other_model_knows_are_no_test(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    origin = trained_model(tmp_path)
    origin.data["train_images"] = ["aa", "bb"]

    def index(*samples: tuple[str, str, str]) -> SimpleNamespace:
        names = ("name", "split", "image_sha256")
        return SimpleNamespace(samples=[SimpleNamespace(**dict(zip(names, one, strict=True))) for one in samples])

    with caplog.at_level(logging.WARNING, "vlsenet"):
        warn_of_known_images(index(("a", "train", "aa"), ("c", "val", "cc")), origin)
        warn_of_known_images(index(("a", "val", "aa")), None)
        assert not caplog.text
        warn_of_known_images(index(("a", "val", "aa"), ("c", "val", "cc"), ("b", "test", "bb")), origin)
    assert "2 validation or test image(s)" in caplog.text
    assert "too optimistic: a, b" in caplog.text
