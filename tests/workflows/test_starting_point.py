from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pipeline.errors import UserError
from pipeline.networks import build_network
from pipeline.workflows import start_weights, warn_of_known_images
from tests.workflows.export.cases import trained_model


def test_the_weights_are_those_of_the_other_model(tmp_path: Path) -> None:
    origin = trained_model(tmp_path)
    network = build_network(**origin.network_settings)
    assert start_weights(network, origin.network_settings, origin.text, origin) is network
    for name, value in origin.network.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name


def test_without_a_model_the_weights_stay(tmp_path: Path) -> None:
    origin = trained_model(tmp_path)
    torch.manual_seed(5)
    network = build_network(**origin.network_settings)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    start_weights(network, origin.network_settings, origin.text, None)
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
        ({}, {"phases": 3}, r"it knows 1 phase\(s\) \(pore\), and 3 are to be learned; leave --start_from out"),
    ],
)
def test_another_network_or_text_is_refused(tmp_path: Path, trained: dict, settings: dict, told: str) -> None:
    origin = trained_model(tmp_path, **trained)
    (tmp_path / "now").mkdir()
    now = trained_model(tmp_path / "now")
    settings = {**now.network_settings, **{"switches": trained.get("switches", {}), **settings}}
    with pytest.raises(UserError, match=told):
        start_weights(build_network(**settings), settings, now.text, origin)


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
