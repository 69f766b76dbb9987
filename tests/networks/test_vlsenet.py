from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from pipeline.networks import Switches, VLSENet
from pipeline.networks.asrm import ASRM
from pipeline.networks.context import ContextBlock
from pipeline.networks.lscm import SemanticModulation, TextAdapter, TokenCrossAttention
from pipeline.networks.region_alignment import RegionAlignment
from pipeline.networks.skip_gate import SkipGate
from pipeline.networks.snake import SnakeConvolution
from pipeline.networks.unet import UNet
from tests.networks.cases import FEATURES, TEXT_DIM, batch, build

COUNTED = (
    SkipGate,
    SemanticModulation,
    TextAdapter,
    TokenCrossAttention,
    RegionAlignment,
    ASRM,
    SnakeConvolution,
    ContextBlock,
)


def count_parts(network: nn.Module) -> dict[type, int]:
    return {kind: sum(isinstance(module, kind) for module in network.modules()) for kind in COUNTED}


def vlsenet(**switches: bool) -> VLSENet:
    torch.manual_seed(0)
    return VLSENet(1, 1, FEATURES, TEXT_DIM, "batch", switches=Switches.from_mapping(switches))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [(48, 32), (37, 21)])
def test_all_off_is_the_unet(training: bool, size: tuple[int, int]) -> None:
    off = build("vlsenet-all-off").train(training)
    unet = UNet(1, 1, FEATURES, "batch").train(training)
    unet.load_state_dict(off.state_dict())
    image = batch(2, 1, *size)["image"]
    assert torch.equal(off(image), unet(image))


def test_starts_near_the_unet_it_contains() -> None:
    network = vlsenet().eval()
    unet = UNet(1, 1, FEATURES, "batch").eval()
    unet.load_state_dict(network.state_dict(), strict=False)
    inputs = batch()
    with torch.no_grad():
        ours, theirs = network(**inputs), unet(inputs["image"])
    assert 0 < (ours - theirs).std() < 0.3 * theirs.std()


def test_published_parts_in_their_places() -> None:
    assert list(count_parts(vlsenet()).values()) == [4, 9, 3, 1, 1, 3, 6, 1]


@pytest.mark.parametrize(
    ("switch", "kind", "left"),
    [
        ("skip_gate", SkipGate, 0),
        ("modulate_skips", SemanticModulation, 5),
        ("modulate_bottleneck", SemanticModulation, 8),
        ("modulate_decoder", SemanticModulation, 5),
        ("text_adapters", TextAdapter, 0),
        ("cross_attention", TokenCrossAttention, 0),
        ("alignment", RegionAlignment, 0),
        ("asrm_skip", ASRM, 2),
        ("asrm_bottleneck", ASRM, 2),
        ("asrm_decoder", ASRM, 2),
        ("snake_horizontal", SnakeConvolution, 3),
        ("snake_vertical", SnakeConvolution, 3),
        ("context", ContextBlock, 0),
    ],
)
def test_a_switch_leaves_out_its_part_and_no_other(switch: str, kind: type, left: int) -> None:
    full, without = count_parts(vlsenet()), count_parts(vlsenet(**{switch: False}))
    assert without[kind] == left
    changed = {part for part in full if full[part] != without[part]}
    assert changed == ({ASRM, SnakeConvolution} if kind is ASRM else {kind})


@pytest.mark.parametrize("switch", Switches.names())
def test_every_network_with_one_part_out_trains_all_of_its_parameters(switch: str) -> None:
    network, inputs = vlsenet(**{switch: False}), batch(2, 1, 32, 32)
    output = network(**inputs)
    loss = output.square().mean() if switch == "alignment" else output.logits.square().mean() + output.alignment.mean()
    loss.backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert silent == []


def test_renormalise_changes_the_answer_but_not_the_parameters() -> None:
    with_it, without = vlsenet().eval(), vlsenet(renormalise=False).eval()
    for network in (with_it, without):
        for part in network.modules():
            if isinstance(part, SemanticModulation):
                nn.init.constant_(part.to_gamma_beta[-1].bias, 1.0)
    without.load_state_dict(with_it.state_dict())
    inputs = batch()
    assert not torch.allclose(with_it(**inputs), without(**inputs))


def test_only_the_parts_named_in_the_docs_read_the_whole_tile() -> None:
    torch.manual_seed(0)
    local = dataclasses.replace(Switches(), skip_gate=False, renormalise=False)
    answers = {}
    for name, switches in (("local", local), ("full", Switches())):
        network = VLSENet(1, 1, (2, 2, 2, 2, 4), TEXT_DIM, "batch", switches=switches).double().eval()
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.3)
        text = {key: value.double() for key, value in batch(1).items() if key in ("text", "tokens")}
        scan = torch.rand(1, 1, 672, 640, dtype=torch.float64)
        with torch.no_grad():
            one, other = network(scan[..., :640, :], **text), network(scan[..., 32:, :], **text)
        answers[name] = (one[..., 320:352, 320] - other[..., 288:320, 320]).abs().max()
    assert answers["local"] < 1e-12 < answers["full"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": None}, "reads text: give `text`"),
        ({"tokens": None}, "reads text: give `tokens`"),
        ({"text": torch.rand(2, 7)}, "`text` has width 7, the network was built for 12"),
        ({"tokens": torch.rand(2, 5, 7)}, "`tokens` has width 7"),
        ({"text": torch.rand(3, TEXT_DIM)}, "`text` holds 3 samples, the image 2"),
        ({"tokens": torch.rand(2, 0, TEXT_DIM)}, "not empty"),
        ({"tokens": torch.rand(2, TEXT_DIM)}, r"must be \(N, L, D\)"),
        ({"mask": torch.rand(2, 1, 48, 31)}, r"mask must be \(2, 1, 48, 32\)"),
    ],
)
def test_refuses_text_and_masks_that_do_not_fit(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        vlsenet()(**(batch() | change))


def test_text_is_not_needed_where_no_part_reads_it() -> None:
    unread = dict.fromkeys(
        ("modulate_skips", "modulate_bottleneck", "modulate_decoder", "text_adapters", "cross_attention"), False
    )
    network, inputs = vlsenet(**unread), batch()
    with pytest.raises(ValueError, match="`text`"):  # the alignment loss still reads it in training
        network(inputs["image"], mask=inputs["mask"])
    assert network.eval()(inputs["image"]).shape == (2, 1, 48, 32)


def test_learned_text_stands_alone_or_joins_the_given() -> None:
    network, inputs = build("vlsenet-learned-text").eval(), batch()
    alone, joined = network(inputs["image"]), network(**inputs)
    assert alone.shape == joined.shape
    assert not torch.equal(alone, joined)
    with pytest.raises(ValueError, match="width 7"):
        network(inputs["image"], torch.rand(2, 7), inputs["tokens"])


def test_text_reaches_the_answer() -> None:
    network, inputs = vlsenet().eval(), batch()
    other = batch(seed=5)
    for key in ("text", "tokens"):
        assert not torch.equal(network(**inputs), network(**(inputs | {key: other[key]})))


@pytest.mark.slow
def test_exports_with_free_batch_and_size() -> None:
    network = vlsenet().eval()
    example, other = (
        tuple(batch(n, 1, h, w)[key] for key in ("image", "text", "tokens")) for n, h, w in ((2, 64, 96), (3, 112, 80))
    )
    free = torch.export.Dim.AUTO
    exported = torch.export.export(network, example, dynamic_shapes=({0: free, 2: free, 3: free}, {0: free}, {0: free}))
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(*other), network(*other), rtol=1e-4, atol=1e-5)
