"""What a network sees around its window."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from pipeline.errors import UserError
from pipeline.networks import SegmentationLoss, VLSENet, build_network, inference_form, pin_statistics, reach_of
from pipeline.networks.surroundings import (
    CHOICES,
    FACTOR,
    REACHES,
    Surroundings,
    no_view,
    surroundings_of,
    view_side,
    with_surroundings,
)
from pipeline.networks.unet import UNet
from pipeline.options.configs import SURROUNDINGS
from tests.networks.cases import ALL_ON, FEATURES, TEXT_DIM, batch

REACH = 240

NETWORKS: dict[str, Callable[[int, int | None], UNet]] = {
    "unet": lambda phases, reach: UNet(1, phases, FEATURES, reach=reach),
    "vlsenet": lambda phases, reach: VLSENet(
        1, phases, FEATURES, TEXT_DIM, learned_text=True, switches=ALL_ON, reach=reach
    ),
}


def made(network: str, phases: int = 1, reach: int | None = REACH) -> UNet:
    torch.manual_seed(0)
    return NETWORKS[network](phases, reach)


def strengthened(network: UNet) -> UNet:
    """The surroundings add as much as the fine features have."""
    assert network.surroundings is not None
    for joint in (network.surroundings.to_bottleneck, network.surroundings.to_last):
        torch.nn.init.normal_(joint.conv.weight, std=0.3)
    return network


def seen(n: int = 2, height: int = 48, width: int = 32, phases: int | None = None, reach: int = REACH) -> dict:
    """The inputs of `batch`, with a view."""
    sides = view_side(height, reach), view_side(width, reach)
    view = torch.randn(n, 2, *sides, generator=torch.Generator().manual_seed(5))
    return {**batch(n, 1, height, width, phases=phases), "view": view}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("phases", [None, 3])
def test_every_parameter_gets_a_gradient_also_in_bfloat16(network: str, phases: int | None) -> None:
    trained, inputs = made(network, phases or 1), seen(2, 64, 64, phases)
    with torch.autocast("cpu", torch.bfloat16):
        output = trained(**inputs)
    SegmentationLoss()(output, inputs["mask"]).backward()
    silent = [name for name, p in trained.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert silent == []


@pytest.mark.parametrize("network", NETWORKS)
def test_it_starts_near_the_network_without_surroundings(network: str) -> None:
    with_view, without, inputs = made(network), made(network, reach=None), seen()
    without.load_state_dict(with_view.state_dict(), strict=False)
    with torch.no_grad():
        expected = without.eval()(**batch())
        torch.testing.assert_close(with_view.eval()(**inputs), expected, rtol=0.1, atol=0.1)
        assert torch.equal(without(**inputs), expected)  # a view that it has no use for is not read


@pytest.mark.parametrize("reach", REACHES)
def test_a_value_depends_on_the_pixels_within_reach_and_on_no_others(reach: int) -> None:
    torch.manual_seed(0)
    branch = Surroundings(reach, 4, 4).double()
    side, image = view_side(80, reach), torch.zeros(1, 1, 80, 80, dtype=torch.float64)
    view = torch.randn(1, 2, side, side, dtype=torch.float64, requires_grad=True)
    branch(view, image, image[:, :, :5, :5]).bottleneck[0, :, 2, 2].sum().backward()
    touched = view.grad.abs().sum((0, 1)) > 0
    rows, columns = (torch.nonzero(touched.any(axis)).flatten() for axis in (1, 0))
    # the cell in the middle sees as far as it may, in every direction
    first, last = 2 * 16 // FACTOR, side - 1 - 2 * 16 // FACTOR
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (first, last, first, last)


def test_the_same_place_has_the_same_surroundings_in_every_window() -> None:
    torch.manual_seed(0)
    branch = Surroundings(REACH, 4, 4)
    view = torch.randn(1, 2, view_side(160, REACH), view_side(192, REACH))
    whole = branch(view, torch.zeros(1, 1, 160, 192), torch.zeros(1, 1, 10, 12))
    top, left, high, wide = 32, 48, 64, 96
    rows, columns = (
        slice(start // FACTOR, start // FACTOR + view_side(side, REACH)) for start, side in ((top, high), (left, wide))
    )
    part = branch(view[:, :, rows, columns], torch.zeros(1, 1, high, wide), torch.zeros(1, 1, 4, 6))
    there = (slice(None), slice(None), slice(2, 6), slice(3, 9))
    for mine, of_whole in zip(part, whole, strict=True):
        torch.testing.assert_close(mine, of_whole[there], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("phases", [None, 2])
def test_pinned_and_in_the_form_for_inference_it_computes_the_same(network: str, phases: int | None) -> None:
    trained = strengthened(made(network, phases or 1)).eval()
    inputs = seen(phases=phases)
    del inputs["mask"]
    given = [inputs[name] for name in ("image", "text", "tokens", "view")]
    pinned = pin_statistics(trained, *given)
    with torch.no_grad():
        expected = pinned(**inputs)
        torch.testing.assert_close(inference_form(pinned)(**inputs), expected, rtol=1e-3, atol=1e-3)
        other = pinned(**{**inputs, "view": -inputs["view"]})
    assert (other - expected).abs().mean() > 0.05


@pytest.mark.parametrize("network", NETWORKS)
def test_the_whole_window_may_lie_inside_of_a_layer(network: str) -> None:
    """What is the same in a whole patch reaches the answer, though every stage of the decoder normalises the patch."""
    trained, inputs = strengthened(made(network)).eval(), seen()
    flat = [torch.full_like(inputs["view"], value) for value in (-1.0, 1.0)]
    with torch.no_grad():
        low, high = (trained(**{**inputs, "view": view}) for view in flat)
    shift = high - low
    assert shift.mean().abs() > 2 * shift.std()


def test_logits_enlarged_are_those_of_features_enlarged() -> None:
    torch.manual_seed(0)
    head, x, last = torch.nn.Conv2d(6, 2, 1), torch.randn(2, 6, 48, 32), torch.randn(2, 6, 3, 2)
    enlarged = torch.nn.functional.interpolate(last, scale_factor=16, mode="bilinear")
    torch.testing.assert_close(with_surroundings(head, x, last), head(x + enlarged), rtol=1e-4, atol=1e-5)
    assert torch.equal(with_surroundings(head, x, None), head(x))


@pytest.mark.parametrize("network", NETWORKS)
def test_a_view_that_does_not_fit_is_refused(network: str) -> None:
    trained, inputs = made(network), seen()
    with pytest.raises(ValueError, match="give `view`"):
        trained(**batch())
    with pytest.raises(ValueError, match="view must be"):
        trained(**{**inputs, "view": inputs["view"][:, :, 1:]})


def test_a_view_of_nothing_fits_any_window() -> None:
    assert no_view(torch.zeros(1, 1, 32, 32), None) is None
    for side in (16, 17, 100):
        image = torch.zeros(2, 1, side, 33)
        with torch.no_grad():
            assert made("unet")(image, view=no_view(image, REACH)).shape == (2, 1, side, 33)


def test_reaches_are_chosen_by_name() -> None:
    assert ("auto", *CHOICES) == SURROUNDINGS
    assert [surroundings_of(reach_of(choice)) for choice in CHOICES] == list(CHOICES)
    with pytest.raises(UserError, match="surroundings '500px'"):
        reach_of("500px")
    with pytest.raises(UserError, match="a reach of 500 px"):
        build_network("unet", reach=500)
    network = build_network("unet", reach=REACH)
    assert isinstance(network, UNet)
    assert network.reach == REACH
