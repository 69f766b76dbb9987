from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.engine import ScanStore
from pipeline.engine.certificate import certify
from pipeline.engine.pinned_network import WindowNetwork
from pipeline.engine.prediction import ChunkPredictor
from pipeline.errors import UserError
from pipeline.foreground.intensity import Intensity
from pipeline.foreground.measurement import Foreground
from pipeline.foreground.normalisation import GreyNormalisation
from pipeline.foreground.rock_mask import RockMask
from pipeline.foreground.shading import Shading
from pipeline.images.rectangles import Roi
from pipeline.networks.inputs import pad_to_stride
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Rescaled, Windows, axis_weights, resampled
from tests.images.arrays import ArraySource, volume_of

CPU = torch.device("cpu")
HALO = 16


def local_network() -> WindowNetwork:
    """Reads 8 pixels around each, less than the halo; zero padding at the window's border, as real networks have."""
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 9, padding=4), torch.nn.Tanh(), torch.nn.Conv2d(4, 1, 9, padding=4)
    )
    return layers.double()


def predictor(
    network: WindowNetwork,
    batch: int = 3,
    roi: Roi | None = None,
    scale: tuple[float, float] = (1, 1),
    drift: float = 0,
) -> ChunkPredictor:
    pixels = np.random.default_rng(0).integers(0, 255, (300, 420), dtype=np.uint8)
    pixels = (pixels * np.linspace(1 - drift, 1, 420)).astype(np.uint8)
    plan = ChunkPlan(*pixels.shape, chunk=64, block=32, roi=roi)

    def as_double(pixels: torch.Tensor) -> torch.Tensor:
        """Pads to a multiple of 16, as the package's networks do."""
        high, wide = pixels.shape[2:]
        return network(pad_to_stride(pixels).double())[:, :, :high, :wide]

    windows = Windows(plan, HALO, scale, uniform=batch > 1)
    intensity = Intensity.of(pixels)
    shading = (Shading.of(pixels, intensity),) if drift else ()
    foreground = Foreground(GreyNormalisation(intensity, shading), (RockMask.everywhere(pixels.shape),))
    return ChunkPredictor(volume_of(pixels), windows, as_double, foreground, batch, CPU)


def assembled(chunked: ChunkPredictor) -> np.ndarray:
    return chunked.probability()[0, 0]


@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("roi", [None, Roi(21, 35, 200, 150)])
@pytest.mark.parametrize("scale", [(1, 1), (0.5, 0.7), (1.6, 1.6)])
@pytest.mark.parametrize("drift", [0, 0.4])
def test_chunks_together_are_the_untiled_prediction(
    batch: int, roi: Roi | None, scale: tuple[float, float], drift: float
) -> None:
    network = local_network()
    chunked = predictor(network, batch, roi, scale, drift)
    source = ArraySource(chunked.volume.read(0, 0, 0, *chunked.volume.shape))
    high, wide = chunked.windows.shape
    grey = Rescaled(source, scale, (high, wide)).read(0, 0, high, wide)
    grey = torch.from_numpy(chunked.foreground.normalisation.normalised(grey, 0, 0, 0, scale))
    with torch.no_grad():
        whole = chunked.network(grey[None, None]).sigmoid()
    probability = whole[0, 0].numpy()
    if scale != (1, 1):
        (_, _, down), (_, _, across) = (
            axis_weights(0, length, 1 / factor, side)
            for length, factor, side in zip(source.shape, scale, (high, wide), strict=True)
        )
        probability = resampled(probability, down, across)
    x, y, width, height = chunked.windows.plan.region
    np.testing.assert_allclose(assembled(chunked), probability[y : y + height, x : x + width], atol=1e-5)


def test_chunks_come_in_the_order_asked_for_and_windows_stay_small() -> None:
    chunked = predictor(local_network())
    with chunked.volume.slice(0) as source:
        source.largest = 0  # opening looked for an info bar
    seen: list[int] = []
    chunked([7, 2, 30], lambda index, _: seen.append(index))
    assert seen == [7, 2, 30]
    with chunked.volume.slice(0) as source:
        assert source.largest <= (64 + 2 * HALO) ** 2


def test_a_damaged_part_is_told_and_what_came_before_is_given() -> None:
    chunked = predictor(local_network(), batch=1)
    with chunked.volume.slice(0) as source:
        read = source._read

    def damaged(top: int, left: int, height: int, width: int) -> np.ndarray:
        if top > 100:
            raise OSError("bad sector")
        return read(top, left, height, width)

    source._read = damaged
    seen: list[int] = []
    with pytest.raises(UserError, match="bad sector"):
        chunked(range(len(chunked.windows.plan)), lambda index, _: seen.append(index))
    assert seen[:7] == list(range(7))


def test_out_of_memory_steps_the_batch_down() -> None:
    network = local_network()

    def small_device(windows: torch.Tensor) -> torch.Tensor:
        if len(windows) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return network(windows)

    chunked = predictor(small_device, batch=8)
    np.testing.assert_allclose(assembled(chunked), assembled(predictor(network)), atol=1e-6)
    assert chunked.batch == 2

    def no_device(windows: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(UserError, match="--chunk_size"):
        predictor(no_device)([0], lambda *_: None)


def segmented(chunked: ChunkPredictor, path) -> ScanStore:
    store = ScanStore.create(path, chunked.windows.plan, "request")

    def write(index: int, probability: np.ndarray) -> None:
        store.write_chunk(index, probability, [0.5])

    chunked(range(len(chunked.windows.plan)), write)
    return store


def test_the_certificate_finds_a_seam_where_there_is_one_only(tmp_path) -> None:
    network = local_network()
    seamless = predictor(network)
    clean = certify(seamless, segmented(seamless, tmp_path / "a.ome.zarr"), [0.5])
    assert clean["crops"] == 4
    assert clean["pixels"] == 4 * 64**2
    assert clean["largest"] < 1.01 / 255
    # statistics of the window
    reading = predictor(lambda windows: 5 * network(windows) + 40 * windows.mean((1, 2, 3), keepdim=True))
    seam = certify(reading, segmented(reading, tmp_path / "b.ome.zarr"), [0.5])
    assert seam["largest"] > 10 / 255


def test_the_certificate_compares_probabilities_as_they_are_stored(tmp_path) -> None:
    """Rounding to steps of 1/255 is no seam: only a pixel beside the middle of a step may fall to its other side."""
    seamless = predictor(local_network())
    found = certify(seamless, segmented(seamless, tmp_path / "a.ome.zarr"), [0.5])
    assert found["mean"] < 0.01 / 255  # rounding alone makes 0.25 / 255
    assert found["largest"] * 255 == pytest.approx(round(found["largest"] * 255), abs=1e-4)


@pytest.mark.parametrize(("columns", "crops"), [(slice(0, 0), 0), (slice(1, 2), 1), (slice(0, 4), 4)])
def test_the_certificate_is_of_corners_in_rock_alone(tmp_path, columns: slice, crops: int) -> None:
    chunked = predictor(local_network())
    empty = np.ones((1, 3, 4), bool)
    empty[0, 0, columns] = False  # one cell of 128 pixels holds one corner of chunks of 64 with its surroundings
    store = segmented(chunked, tmp_path / "a.ome.zarr")
    chunked.foreground = Foreground(chunked.foreground.normalisation, (RockMask(empty[0], (300, 420)),))
    found = certify(chunked, store, [0.5])
    assert found["crops"] == crops


def test_a_scan_of_one_chunk_has_no_seam_to_certify(tmp_path) -> None:
    chunked = predictor(local_network(), roi=Roi(0, 0, 64, 64))
    assert certify(chunked, segmented(chunked, tmp_path / "a.ome.zarr"), [0.5]) == {"crops": 0}
