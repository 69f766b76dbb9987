from __future__ import annotations

import pytest

from pipeline.errors import UserError
from pipeline.networks import VLSENet, build_network, reads_text
from pipeline.networks.unet import UNet


def test_builds_by_name() -> None:
    assert type(build_network("unet", switches={"renormalise": False})) is UNet
    network = build_network("vlsenet", text_dim=8, in_channels=3, learned_text=True, switches={"context": False})
    assert type(network) is VLSENet
    assert network.in_channels == 3
    assert network.text_dim == 8
    assert network.learned_text is not None
    assert not network.switches.context


@pytest.mark.parametrize("name", ["unet", "vlsenet"])
def test_widths_may_stand_in_place_of_the_presets(name: str) -> None:
    network = build_network(name, preset="large", text_dim=8, features=[8, 16, 24, 32, 40])
    widths = [network.conv_0.conv_1.conv.out_channels] + [
        getattr(network, f"down_{level}").convs.conv_1.conv.out_channels for level in (1, 2, 3, 4)
    ]
    assert widths == [8, 16, 24, 32, 40]


@pytest.mark.parametrize(
    "wrong", [[16, 32, 64, 128], [16, 32, 64, 128, 0], [16, 32, 64, 128, 2.5], 16, "16", [True] * 5, "[8,8,8,8,16]"]
)
def test_widths_that_are_none_are_told(wrong: object) -> None:
    with pytest.raises(UserError, match="give the widths of four levels and the bottleneck"):
        build_network("unet", features=wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"network": "vlse-net"}, "unknown network 'vlse-net': did you mean vlsenet"),
        ({"preset": "smal"}, "unknown preset 'smal': did you mean small"),
        ({"norm": "bach"}, "unknown norm 'bach': did you mean batch"),
        ({"switches": {"contxt": False}}, "unknown switch 'contxt': did you mean context"),
        ({"network": "unet", "switches": {"context": False}}, "U-Net has no parts to switch off: remove context"),
        ({"network": "transformer"}, "choose from vlsenet, unet"),
    ],
)
def test_mistakes_are_told_with_the_nearest_right_name(wrong: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_network(**wrong)


def test_which_networks_read_text() -> None:
    lscm = ("modulate_skips", "modulate_bottleneck", "modulate_decoder", "text_adapters", "cross_attention")
    settings = {"network": "vlsenet", "preset": "small", "text_dim": 8}
    assert reads_text(**settings)
    assert reads_text(**settings, switches=dict.fromkeys(lscm, False))  # the alignment loss does
    assert not reads_text(**settings, switches=dict.fromkeys((*lscm, "alignment"), False))
    assert not reads_text(**{**settings, "network": "unet"})
