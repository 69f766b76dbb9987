"""Several phrases about the same images: one encoder, a decoder for each, and only for what is known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.networks import SegmentationLoss, SegmentationOutput, VLSENet, build_network
from pipeline.phases import UNKNOWN
from tests.networks.cases import CASES, batch, build

SEVERAL = [case for case in CASES if case.startswith("vlsenet")]
#: norms that take their statistics from each sample by itself, so that it does not matter which others are decoded
BY_SAMPLE = ["vlsenet-instance", "vlsenet-group", "vlsenet-as-trained"]


def partly_known() -> dict[str, torch.Tensor]:
    """Three samples of other data sets: phases 0 and 2, none, and phase 1, of which some pixels are known."""
    inputs = batch(3, phases=3)
    inputs["mask"][0, 1] = inputs["mask"][1] = inputs["mask"][2, 0] = inputs["mask"][2, 2] = UNKNOWN
    inputs["mask"][2, 1, :20] = UNKNOWN
    return inputs


def known_pairs(mask: torch.Tensor) -> torch.Tensor:
    return (mask != UNKNOWN).any(dim=3).any(dim=2)


def logits_of(output: torch.Tensor | SegmentationOutput) -> torch.Tensor:
    return output.logits if isinstance(output, SegmentationOutput) else output


@pytest.mark.parametrize("case", SEVERAL)
def test_each_phrase_gets_the_answer_that_it_gets_alone(case: str) -> None:
    network, inputs = build(case, phases=3).eval(), batch(phases=3)
    with torch.no_grad():
        together = network(**inputs)
        alone = [network(inputs["image"], inputs["text"][:, k], inputs["tokens"][:, k]) for k in range(3)]
    torch.testing.assert_close(together, torch.cat(alone, dim=1), rtol=1e-5, atol=1e-6)
    if case != "vlsenet-all-off":
        assert not torch.equal(alone[0], alone[1])


@pytest.mark.parametrize("case", CASES)
def test_the_halves_are_the_whole(case: str) -> None:
    network, inputs = build(case, phases=2).eval(), batch(phases=2)
    with torch.no_grad():
        encoded = network.encode(inputs["image"])
        before = [level.clone() for level in (*encoded.skips, encoded.bottleneck)]
        logits = network.decode(encoded, inputs["text"], inputs["tokens"])
        assert torch.equal(logits, network(**inputs))
    assert all(torch.equal(*pair) for pair in zip(before, (*encoded.skips, encoded.bottleneck), strict=True))


def test_the_encoder_runs_once_and_the_decoder_for_what_is_known() -> None:
    network, inputs = build("vlsenet-as-trained", phases=3), partly_known()
    batches: dict[str, list[int]] = {"conv_0": [], "final_conv": []}
    for name, seen in batches.items():
        network.get_submodule(name).register_forward_hook(lambda _, given, __, seen=seen: seen.append(len(given[0])))
    logits = logits_of(network(**inputs))
    assert batches == {"conv_0": [3], "final_conv": [3]}  # three pairs of nine
    known = known_pairs(inputs["mask"])
    assert (logits[~known] == 0).all()
    assert (logits[known] != 0).all()


@pytest.mark.parametrize("case", BY_SAMPLE)
def test_what_is_not_decoded_would_have_had_no_gradient(case: str) -> None:
    network, inputs, loss = build(case, phases=3), partly_known(), SegmentationLoss(alignment_weight=0)
    known = known_pairs(inputs["mask"])
    whole = inputs | {"mask": inputs["mask"].clamp_min(0)}
    answers = [logits_of(network(**given)) for given in (inputs, whole)]
    torch.testing.assert_close(answers[0][known], answers[1][known], rtol=1e-4, atol=1e-5)
    few, all_ = (
        torch.autograd.grad(loss(logits, inputs["mask"]), list(network.parameters()), allow_unused=True)
        for logits in answers
    )
    for one, other in zip(few, all_, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("case", SEVERAL)
def test_a_batch_of_which_nothing_is_known_trains_nothing(case: str) -> None:
    network, inputs = build(case, phases=3), batch(phases=3)
    inputs["mask"][:] = UNKNOWN
    loss = SegmentationLoss()(network(**inputs), inputs["mask"])
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is not None and not p.grad.any() for p in network.parameters())


def test_the_published_alignment_of_a_sample_is_the_mean_over_its_known_phrases() -> None:
    torch.manual_seed(0)
    switches = {"contrast": False}
    network = build_network("vlsenet", text_dim=12, features=(8, 8, 16, 16, 32), phases=3, switches=switches)
    inputs = partly_known()
    found = network(**inputs).alignment
    alone = [
        network(inputs["image"], inputs["text"][:, k], inputs["tokens"][:, k], inputs["mask"][:, k : k + 1]).alignment
        for k in range(3)
    ]
    expected = torch.stack([(alone[0][0] + alone[2][0]) / 2, torch.zeros(()), alone[1][2]])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_one_phrase_may_be_asked_of_a_network_for_several() -> None:
    network, inputs = build("vlsenet-as-trained", phases=3), batch()
    assert isinstance(network(**inputs), torch.Tensor)  # nothing to contrast
    assert network.eval()(**inputs).shape == (2, 1, 48, 32)


def test_what_tells_phases_apart_is_not_built_for_one() -> None:
    one, several = (build_network("vlsenet", text_dim=12, learned_text=True, phases=k) for k in (1, 3))
    assert set(several.state_dict()) - set(one.state_dict()) == {
        "lscm.head.to_weight_bias.weight",
        "lscm.head.to_weight_bias.bias",
        "learned_text.own",
    }
    assert (one.switches.text_head, one.switches.contrast) == (False, False)


def test_text_and_tokens_of_unlike_numbers_of_phrases_are_refused() -> None:
    network, inputs = build("vlsenet-instance", phases=2), batch(phases=2)
    with pytest.raises(ValueError, match="of as many phrases"):
        network(inputs["image"], inputs["text"][:, 0], inputs["tokens"])
    with pytest.raises(ValueError, match="of as many phrases"):
        network(inputs["image"], inputs["text"][:, :1], inputs["tokens"])
    with pytest.raises(ValueError, match=r"mask must be \(2, 2, 48, 32\)"):
        network(**inputs | {"mask": inputs["mask"][:, :1]})


def test_a_unet_has_a_logit_for_each_phase() -> None:
    network = build_network("unet", phases=4)
    assert isinstance(network.final_conv, nn.Conv2d)
    assert network(torch.rand(1, 1, 32, 32)).shape == (1, 4, 32, 32)
    assert not isinstance(network, VLSENet)
