from __future__ import annotations

import pytest
import torch

from pipeline.errors import UserError
from pipeline.networks.peak_memory import peak_bytes
from pipeline.workflows import scan_size
from pipeline.workflows.scan_size import fitting_sizes

CPU = torch.device("cpu")


def eight_bytes_a_pixel(windows: torch.Tensor) -> torch.Tensor:
    return (windows + 1) * 2  # two maps of four bytes are alive at once


def test_peak_is_what_is_alive_at_once() -> None:
    start = torch.zeros(1000)

    def work() -> None:
        a = start + 1
        b = a + 1
        del a
        c = torch.cat([b, b])  # 4000 + 8000 bytes
        del b
        c.mul_(2)
        c[:500].view(5, 100)

    assert peak_bytes(work) == 12_000


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
    assert fitting_sizes(eight_bytes_a_pixel, CPU, 128, longest) == (expected, 1)


def test_processes_share_the_memory_and_too_little_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_size, "device_memory", lambda device: 8 * 1280**2 * 4)
    assert (
        fitting_sizes(eight_bytes_a_pixel, CPU, 128, 10_000, processes=4)[0] == 256
    )  # 640**2 pixels of 8 bytes, and 512 + 256 are too many
    with pytest.raises(UserError, match="--halo"):
        fitting_sizes(eight_bytes_a_pixel, CPU, 4096, 10_000)


def test_the_memory_of_this_machine() -> None:
    assert 1e8 < scan_size.device_memory(CPU) < 1e14
