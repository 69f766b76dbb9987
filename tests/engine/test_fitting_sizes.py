from __future__ import annotations

import pytest
import torch

from pipeline.engine import sizes as scan_size
from pipeline.engine.sizes import MemoryNeed, fitting_sizes, memory_need
from pipeline.errors import UserError
from pipeline.networks import VLSENet
from pipeline.networks.unet import UNet
from pipeline.text import TextFeatures

CPU = torch.device("cpu")


EIGHT_BYTES_A_PIXEL = MemoryNeed(0.0, 8.0)


def eight_bytes_a_pixel(windows: torch.Tensor) -> torch.Tensor:
    return (windows + 1) * 2  # two maps of four bytes are alive at once


def square(side: int) -> tuple[int, int, int]:
    return 1, side, side


def test_memory_is_measured_for_each_pixel_and_once_for_a_form(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MemoryNeed.of(eight_bytes_a_pixel, CPU) == EIGHT_BYTES_A_PIXEL
    network, features = UNet(1, 1, (4, 4, 4, 4, 4), "instance").eval(), TextFeatures(torch.zeros(4), torch.zeros(2, 4))
    pinned, plain = (memory_need(network, features, how, "float32", CPU) for how in ("micrograph", "network"))
    assert 0 < pinned.per_pixel <= plain.per_pixel
    monkeypatch.setattr(MemoryNeed, "of", None)
    assert memory_need(network, features, "micrograph", "float32", CPU) is pinned
    other = UNet(1, 1, (4, 4, 4, 4, 4), "instance").eval()  # with weights of its own
    assert memory_need(other, features, "micrograph", "float32", CPU) is pinned


@pytest.mark.parametrize("statistics", ["micrograph", "network"])
def test_several_phrases_take_little_more_memory_than_one(statistics: str) -> None:
    network = VLSENet(1, 4, (8, 8, 16, 16, 32), 8).eval()
    asked = [TextFeatures(torch.zeros(*count, 8), torch.zeros(*count, 2, 8)) for count in ((), (4,))]
    one, several = (memory_need(network, features, statistics, "float32", CPU) for features in asked)
    assert one.per_pixel < several.per_pixel < 1.5 * one.per_pixel


def test_a_batch_has_no_more_windows_than_there_are_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_size, "device_memory", lambda device: 1e12)
    gpu = torch.device("cuda")
    assert fitting_sizes(EIGHT_BYTES_A_PIXEL, gpu, 128, square(300)) == (512, 1)
    assert fitting_sizes(EIGHT_BYTES_A_PIXEL, gpu, 128, square(2500)) == (2048, 4)
    assert fitting_sizes(EIGHT_BYTES_A_PIXEL, gpu, 128, square(100_000)) == (2048, 8)


@pytest.mark.parametrize(
    ("memory", "longest", "expected"),
    [
        (1e9, 100_000, 2048),
        (1e9, 1025, 2048),
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


def test_what_a_network_takes_for_itself_is_not_counted_for_each_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_a_large_table(windows: torch.Tensor) -> torch.Tensor:
        table = torch.zeros(1 << 20)  # 4 MiB
        return eight_bytes_a_pixel(windows) + table[0]

    monkeypatch.setattr(scan_size, "device_memory", lambda device: 4 * (8 * 1280**2 + (4 << 20) + 1000))
    assert fitting_sizes(MemoryNeed.of(with_a_large_table, CPU), CPU, 128, square(10_000))[0] == 1024


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
