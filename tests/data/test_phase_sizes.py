"""How thick objects are, against those that were drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import rotate

from pipeline.data.phase_sizes import phase_sizes
from pipeline.data.samples import Sample
from pipeline.phases import LabelValues, Phase

LAYERS = LabelValues((Phase.of("layer"), Phase.of("crack")), ((1,), (2,)), unlabelled=(9,))


def sample(folder: Path, label: np.ndarray, dataset: str = "", values: LabelValues = LAYERS) -> Sample:
    file = folder / f"{dataset}{len(list(folder.iterdir()))}.png"
    Image.fromarray(label.astype(np.uint8)).save(file)
    return Sample(file.stem, file, file, "a", "train", None, label.shape, values, label.size, {}, "", "", dataset)


def thickness(folder: Path, *labels: np.ndarray) -> dict[str, float]:
    (found,) = phase_sizes([sample(folder, label) for label in labels])
    return found.thickness


def layer(thick: int, shape: tuple[int, int] = (512, 600)) -> np.ndarray:
    label = np.zeros(shape, np.uint8)
    label[64 : 64 + thick] = 1
    return label


@pytest.mark.parametrize("thick", [32, 100, 200])
@pytest.mark.parametrize("angle", [0, 30, 90])
def test_a_layer_is_as_thick_as_it_was_drawn_at_any_angle(tmp_path: Path, thick: int, angle: float) -> None:
    label = rotate(layer(thick), angle, reshape=False, order=0)
    found = thickness(tmp_path, label)
    assert (
        thick / 1.3 - 4 <= found["layer"] <= thick + 4
    )  # it is found among steps of a factor of 1.19, in cells of 8 px
    assert found["crack"] == 0


def test_thin_cracks_do_not_cut_a_layer_and_are_thin(tmp_path: Path) -> None:
    label = layer(200)
    label[:, ::40] = label[:, 1::40] = 2
    found = thickness(tmp_path, label)
    assert found["layer"] == thickness(tmp_path, layer(200))["layer"]
    assert found["crack"] == 0


def test_a_layer_that_the_border_cuts_and_one_that_fills_the_image(tmp_path: Path) -> None:
    assert 200 <= thickness(tmp_path, layer(200)[64:])["layer"] <= 400  # it goes on beyond
    assert thickness(tmp_path, np.ones((300, 300)))["layer"] == 300  # as far as one can see


def test_the_larger_area_decides(tmp_path: Path) -> None:
    label = layer(100)
    label[300:308] = 1  # another layer, thin
    assert thickness(tmp_path, label)["layer"] == thickness(tmp_path, layer(100))["layer"]
    assert thickness(tmp_path, label, *[layer(16)] * 9)["layer"] <= 16


def test_strokes_in_an_unlabelled_image_are_no_layers(tmp_path: Path) -> None:
    label = np.full((512, 512), 9)
    label[104:120, 50:450] = 1
    assert 8 <= thickness(tmp_path, label)["layer"] <= 16


def test_a_large_image_is_measured_in_larger_cells(tmp_path: Path) -> None:
    assert thickness(tmp_path, layer(400, (600, 9000)))["layer"] == pytest.approx(400, rel=0.2)


def test_each_data_set_by_itself_with_its_own_phases(tmp_path: Path) -> None:
    pores = LabelValues.of_pore(1)
    label = np.zeros((200, 300), np.uint8)
    label[::16, ::16] = 1
    layers, rock = phase_sizes([sample(tmp_path, layer(100), "a"), sample(tmp_path, label, "b", pores)])
    assert (layers.dataset, rock.dataset) == ("a", "b")
    assert rock.thickness == {"pore": 0}
    assert rock.side == pytest.approx(245, abs=1)
