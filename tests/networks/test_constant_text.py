from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from pipeline.networks import Switches, VLSENet, fuse_norms, inference_form, pin_statistics
from pipeline.networks.folded_refinement import FoldedASRM, FoldedContext, FoldedSnakes
from pipeline.networks.snake import SnakeConvolution
from pipeline.networks.surroundings import CHANNELS, view_side
from tests.networks.cases import ALL_OFF, ALL_ON, CASES, FEATURES, TEXT_DIM, batch, build


def moved(network: nn.Module) -> nn.Module:
    """With weights far from where they start, where much is nearly nothing."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * parameter.abs().mean().clamp(min=0.3) * torch.randn_like(parameter))
    return network.eval()


def given(n: int = 2, *size: int, phases: int | None = None) -> dict[str, torch.Tensor]:
    """Images, and one text for all of them, in double precision."""
    image, text = batch(n, 1, *size)["image"], batch(1, phases=phases)
    same = {name: text[name].double().expand(n, *text[name].shape[1:]) for name in ("text", "tokens")}
    return {"image": image.double(), **same}


def assert_same(network: nn.Module, *sizes: tuple[int, int, int], phases: int | None = None) -> None:
    """The form for one text gives what the network does with it, and needs none."""
    inputs = given(phases=phases)
    pinned = pin_statistics(network, **inputs)
    form = inference_form(pinned, inputs["text"], inputs["tokens"])
    with torch.no_grad():
        for size in sizes:
            inputs = given(*size, phases=phases)
            expected = pinned(**inputs)
            torch.testing.assert_close(form(inputs["image"]), expected, rtol=0, atol=1e-9 * float(expected.std()))


@pytest.mark.parametrize("case", CASES)
def test_a_network_for_one_text_is_the_same_function(case: str) -> None:
    assert_same(moved(build(case).double()), (1, 16, 16), (2, 48, 32), (1, 37, 51))


@pytest.mark.parametrize("switch", Switches.names())
def test_with_any_part_left_out_or_alone(switch: str) -> None:
    for switches in (replace(ALL_ON, **{switch: False}), replace(ALL_OFF, **{switch: True})):
        torch.manual_seed(0)
        assert_same(moved(VLSENet(1, 1, FEATURES, TEXT_DIM, "group", switches=switches).double()), (2, 37, 51))


@pytest.mark.parametrize("left_out", ["renormalise", "bounded_modulation", "text_adapters", "modulate_decoder"])
def test_each_of_several_phrases(left_out: str) -> None:
    torch.manual_seed(0)
    switches = replace(ALL_ON, **{left_out: False})
    network = VLSENet(1, 3, FEATURES, TEXT_DIM, "group", learned_text=True, switches=switches)
    assert_same(moved(network.double()), (2, 37, 51), phases=3)


@pytest.mark.parametrize("phases", [None, 3])
def test_with_surroundings(phases: int | None) -> None:
    torch.manual_seed(0)
    network = moved(VLSENet(1, phases or 1, FEATURES, TEXT_DIM, reach=240).double())
    inputs = given(2, 32, 48, phases=phases)
    view = torch.rand(2, CHANNELS, view_side(32, 240), view_side(48, 240)).double()
    pinned = pin_statistics(network, **inputs, view=view)
    with torch.no_grad():
        form = inference_form(pinned, inputs["text"], inputs["tokens"])
        torch.testing.assert_close(form(**inputs, view=view), pinned(**inputs, view=view), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("preset", [FEATURES, (16, 32, 64, 128, 256)])
def test_in_single_and_half_precision(preset: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = VLSENet(1, 1, preset, TEXT_DIM).eval()
    inputs = {name: value.float() for name, value in given(2, 96, 64).items()}
    pinned = pin_statistics(network, **inputs)
    text = inputs["text"], inputs["tokens"]
    with torch.no_grad():
        expected = pinned(**inputs)
        torch.testing.assert_close(inference_form(pinned, *text)(**inputs), expected, rtol=1e-5, atol=1e-5)
        with torch.autocast("cpu", torch.bfloat16):
            plain, form = pinned(**inputs), inference_form(pinned, *text)(**inputs)
    assert (form - expected).abs().mean() < 1.2 * (plain - expected).abs().mean()
    assert (form - expected).abs().max() < 1.5 * (plain - expected).abs().max()


def test_snakes_that_bend_as_far_as_they_can() -> None:
    torch.manual_seed(0)
    snakes = [SnakeConvolution(8, vertical, "batch").double().eval() for vertical in (False, True)]
    for snake in snakes:
        snake.to_steps.get_submodule("conv").weight.data *= 1e3  # steps of one pixel either way
    folded = FoldedSnakes([fuse_norms(nn.Sequential(snake))[0] for snake in snakes])
    for size in ((2, 6, 9), (2, 6, 9), (1, 9, 6), (3, 2, 3), (1, 1, 1)):  # what is kept for one is not taken for others
        x = torch.randn(size[0], 8, *size[1:], dtype=torch.float64)
        with torch.no_grad():
            torch.testing.assert_close(folded(x), torch.cat([snake(x) for snake in snakes], dim=1), rtol=0, atol=1e-12)


def test_nothing_that_depends_on_the_text_is_left() -> None:
    network = VLSENet(1, 1, FEATURES, TEXT_DIM, learned_text=True).eval()
    inputs = {name: value.float() for name, value in given().items()}
    form = inference_form(pin_statistics(network, **inputs), inputs["text"], inputs["tokens"])
    assert not any(isinstance(module, nn.Linear) for module in form.modules())
    assert sum(isinstance(module, FoldedASRM) for module in form.modules()) == 3
    assert sum(isinstance(module, FoldedContext) for module in form.modules()) == 1
    with torch.no_grad():
        other = form(inputs["image"], -inputs["text"], -inputs["tokens"])
        torch.testing.assert_close(other, form(**inputs), rtol=0, atol=0)


def test_statistics_have_to_be_pinned_first() -> None:
    inputs = {name: value.float() for name, value in given().items()}
    with pytest.raises(ValueError, match="pin them first"):
        inference_form(build("vlsenet-batch").eval(), inputs["text"], inputs["tokens"])
