from __future__ import annotations

from functools import partial

import pytest
import torch

from pipeline.engine import sizes as scan_size
from pipeline.engine.pinned_network import pinned, prompted
from pipeline.engine.sizes import bytes_for_a_pixel, fitting_sizes
from pipeline.errors import UserError
from pipeline.memory import peak_bytes
from pipeline.networks import VLSENet
from pipeline.networks.unet import UNet
from pipeline.text import TextFeatures

CPU = torch.device("cpu")


EIGHT_BYTES_A_PIXEL = 8.0


def square(side: int) -> tuple[int, int, int]:
    return 1, side, side


@pytest.mark.parametrize("statistics", ["micrograph", "network"])
@pytest.mark.parametrize("phases", [(), (4,)])
def test_no_network_takes_more_memory_for_a_pixel(statistics: str, phases: tuple[int, ...]) -> None:
    features = TextFeatures(torch.zeros(*phases, 8), torch.zeros(*phases, 2, 8))
    for network in (VLSENet(1, 4, (8, 8, 16, 16, 32), 8).eval(), UNet(1, 1, (8, 8, 16, 16, 32), "instance").eval()):
        tile = torch.zeros(1, 1, 256, 256)
        runs = pinned(network, tile, features, "float32") if statistics == "micrograph" else network
        work = prompted(runs, features, "float32")
        small, large = (peak_bytes(partial(work, torch.zeros(1, 1, side, side))) for side in (128, 256))
        taken = (large - small) / (256**2 - 128**2)
        assert 0.2 < taken / bytes_for_a_pixel(network, statistics) < 1


def test_a_batch_has_no_more_windows_than_there_are_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_size, "device_memory", lambda device: 1e12)
    gpu = torch.device("cuda")
    assert fitting_sizes(EIGHT_BYTES_A_PIXEL, gpu, 128, square(300)) == (512, 1)
    assert fitting_sizes(EIGHT_BYTES_A_PIXEL, gpu, 128, square(2500)) == (2048, 4)
    assert fitting_sizes(EIGHT_BYTES_A_PIXEL, gpu, 128, square(100_000)) == (2048, 8)


@pytest.mark.parametrize(
    ("memory", "longest", "expected"),
    [
        (1e9, 100_000, 1024),
        (1e9, 1024, 1024),
        (1e9, 300, 512),
        (1e9, 30, 256),
        (8 * 1280**2 * 4, 100_000, 1024),
        (8 * 1279**2 * 4, 100_000, 512),
    ],
)
def test_the_largest_chunk_that_fits_and_is_needed(
    memory: float, longest: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_size, "device_memory", lambda device: memory)
    assert fitting_sizes(EIGHT_BYTES_A_PIXEL, CPU, 128, square(longest), shape=(10**6, 10**6)) == (expected, 1)


def test_an_image_of_a_megapixel_is_one_chunk_and_what_the_network_sees_larger_is_cut_smaller() -> None:
    assert fitting_sizes(EIGHT_BYTES_A_PIXEL, CPU, 128, (1, 800, 1280)) == (2048, 1)
    assert fitting_sizes(EIGHT_BYTES_A_PIXEL, CPU, 128, (1, 900, 1280)) == (1024, 1)
    assert fitting_sizes(EIGHT_BYTES_A_PIXEL, CPU, 128, square(10_000), scale=(1.9, 1.9)) == (512, 1)
    # a large halo is no reason for smaller chunks, whose share of it would be larger
    assert fitting_sizes(EIGHT_BYTES_A_PIXEL, CPU, 1024, square(10_000)) == (1024, 1)


def test_processes_share_the_memory_and_too_little_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_size, "device_memory", lambda device: 8 * 1280**2 * 4)
    assert (
        fitting_sizes(EIGHT_BYTES_A_PIXEL, CPU, 128, square(10_000), processes=4)[0] == 256
    )  # 640**2 pixels of 8 bytes, and 512 + 256 are too many
    with pytest.raises(UserError, match="--halo"):
        fitting_sizes(EIGHT_BYTES_A_PIXEL, CPU, 4096, square(10_000))


def test_given_sizes_that_the_whole_memory_does_not_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_size, "device_memory", lambda device: 8 * 1280**2)
    assert fitting_sizes(EIGHT_BYTES_A_PIXEL, CPU, 128, square(10_000), chunk_size=1024) == (1024, 1)
    with pytest.raises(UserError, match=r"one window of 2048 px.*smaller --chunk_size"):
        fitting_sizes(EIGHT_BYTES_A_PIXEL, CPU, 128, square(10_000), chunk_size=2048)
    with pytest.raises(UserError, match=r"2 windows of 1024 px.*smaller --chunk_size"):
        fitting_sizes(EIGHT_BYTES_A_PIXEL, CPU, 128, square(10_000), chunk_size=1024, batch=2)
    with pytest.raises(UserError, match=r"64 windows of 256 px.*smaller --batch"):
        fitting_sizes(EIGHT_BYTES_A_PIXEL, CPU, 128, square(10_000), batch=64)
    # windows end with the scan
    assert fitting_sizes(EIGHT_BYTES_A_PIXEL, CPU, 128, square(900), chunk_size=2048) == (2048, 1)
    assert fitting_sizes(EIGHT_BYTES_A_PIXEL, CPU, 128, square(900), chunk_size=2048, shape=(9000, 9000)) == (
        2048,
        1,
    )  # a region of 900 px


@pytest.mark.parametrize("chunk_size", [None, 256])
def test_a_wrong_pixel_size_is_named_and_not_the_halo(chunk_size: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixels of 2000 nm and a model of 10 nm make a window of 51 000 px out of a chunk of 256 px."""
    monkeypatch.setattr(scan_size, "device_memory", lambda device: 8 * 1280**2)
    with pytest.raises(
        UserError, match="each pixel of the scan is resampled to 200 pixels: check --pixel_size_nm, or give"
    ) as e:
        fitting_sizes(EIGHT_BYTES_A_PIXEL, CPU, 128, square(300), scale=(200, 200), chunk_size=chunk_size)
    assert "--rescale false" in str(e.value)
    assert "smaller" not in str(e.value)


def test_the_memory_of_this_machine() -> None:
    assert 1e8 < scan_size.device_memory(CPU) < 1e14
