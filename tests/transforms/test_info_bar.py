from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

from pipeline.errors import UserError
from pipeline.synthetic import SceneSettings, generate
from pipeline.transforms import CropInfoBard, CropPartd, SEMReader
from tests.images.microscope.bars import one_line
from tests.images.microscope.files import fei

ROCK = generate((200, 320), 0, SceneSettings())
BAR = one_line(40, 320, 0, 255)
IMAGE = torch.as_tensor(np.vstack([ROCK.image, BAR]))[None].float()
LABEL = torch.as_tensor(np.vstack([ROCK.label, np.zeros_like(BAR)]))[None]


def test_image_and_label_lose_the_bar_and_keep_the_scale() -> None:
    affine = torch.diag(torch.tensor([5.0, 4.0, 1.0], dtype=torch.float64))
    out = CropInfoBard(["image", "label"])({"image": MetaTensor(IMAGE, affine), "label": MetaTensor(LABEL, affine)})
    np.testing.assert_array_equal(out["image"][0].numpy(), ROCK.image)
    np.testing.assert_array_equal(out["label"][0].numpy(), ROCK.label)
    torch.testing.assert_close(out["image"].affine, affine)


def test_the_inverse_gives_the_files_size_without_pore_in_the_bar() -> None:
    crop = CropInfoBard(["image", "label"])
    back = crop.inverse(crop({"image": MetaTensor(IMAGE), "label": MetaTensor(LABEL)}))
    assert torch.equal(back["label"].as_tensor(), LABEL)
    assert back["image"].shape == IMAGE.shape
    assert not back["image"][:, 200:].any()


def test_no_bar_and_keep_change_nothing() -> None:
    rock = MetaTensor(IMAGE[:, :200])
    crop = CropInfoBard("image")
    out = crop({"image": rock})
    assert torch.equal(out["image"], rock)
    assert torch.equal(crop.inverse(out)["image"], rock)
    assert CropInfoBard("image", "keep")({"image": IMAGE})["image"].shape == IMAGE.shape
    assert CropInfoBard("image", 10)({"image": IMAGE})["image"].shape[1] == 230


def test_a_label_without_the_bar_is_left_and_another_height_refused() -> None:
    out = CropInfoBard(["image", "label"])({"image": MetaTensor(IMAGE), "label": MetaTensor(LABEL[:, :200])})
    assert out["label"].shape == out["image"].shape
    with pytest.raises(UserError, match="123 rows"):
        CropInfoBard(["image", "label"])({"image": MetaTensor(IMAGE), "label": MetaTensor(LABEL[:, :123])})


def test_the_rows_that_are_known_already() -> None:
    crop = CropInfoBard(["image", "label"], rows_key="rows", allow_missing_keys=True)
    out = crop({"image": MetaTensor(IMAGE), "label": MetaTensor(LABEL[:, :230]), "rows": (0, 230)})
    assert out["image"].shape[1] == out["label"].shape[1] == 230
    assert crop({"image": MetaTensor(IMAGE), "rows": (0, 240)})["image"].shape[1] == 240


def test_the_height_that_the_file_tells(tmp_path: Path) -> None:
    text = fei(columns=320, rows=202).encode()
    tifffile.imwrite(
        tmp_path / "a.tif", IMAGE[0].numpy().astype(np.uint8), extratags=[(34682, 2, len(text) + 1, text, True)]
    )
    load = Compose(
        [LoadImaged("image", reader=SEMReader, image_only=True), EnsureChannelFirstd("image"), CropInfoBard("image")]
    )
    out: Any = load({"image": str(tmp_path / "a.tif")})
    assert out["image"].shape == (1, 202, 320)
    assert out["image"].pixdim.tolist() == pytest.approx([4, 4])
    assert load.inverse(out)["image"].shape[-2:] == (240, 320)


def test_a_bar_on_top_is_cut_and_put_back() -> None:
    image, label = (MetaTensor(pixels.flip(1)) for pixels in (IMAGE, LABEL))
    crop = CropInfoBard(["image", "label"])
    out = crop({"image": image, "label": label})
    np.testing.assert_array_equal(out["image"][0].numpy(), IMAGE[0, :200].flip(0).numpy())
    np.testing.assert_array_equal(out["label"][0].numpy(), ROCK.label[::-1])
    back = crop.inverse(out)
    assert torch.equal(back["label"].as_tensor(), LABEL.flip(1))
    assert not back["image"][:, :40].any()


def test_a_part_is_taken_of_what_is_left_and_others_stay_whole() -> None:
    crop = CropPartd(["image", "label"])
    out = crop({"image": IMAGE[:, :200], "label": LABEL[:, :200], "part": (20, 30, 100, 60)})
    assert out.keys() == {"image", "label"}
    np.testing.assert_array_equal(out["image"][0].numpy(), ROCK.image[30:90, 20:120])
    np.testing.assert_array_equal(out["label"][0].numpy(), ROCK.label[30:90, 20:120])
    whole = {"image": IMAGE, "label": LABEL}
    assert crop(whole).items() == whole.items()
