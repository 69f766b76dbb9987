"""Labels of a few strokes, told from masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data import index_dataset
from pipeline.data.strokes import looks_like_strokes
from pipeline.errors import UserError
from pipeline.phases import LabelValues, Phase
from pipeline.synthetic import SceneSettings, generate
from tests.paths import SHARED


def strokes(codes: np.ndarray, phases: int, share: float, width: int = 3, seed: int = 0) -> np.ndarray:
    """Thin, wavy lines, each inside one phase: its number, and one more than the last for the rest."""
    rng, result = np.random.default_rng(seed), np.zeros_like(codes)
    places = {code: np.argwhere(codes == code) for code in range(phases + 1)}
    while (result > 0).mean() < share:
        code = int(rng.integers(0, phases + 1))
        y, x = rng.choice(places[code]).astype(float)
        angle = rng.uniform(0, 2 * np.pi)
        for _ in range(int(rng.integers(10, 60))):
            brush = (
                slice(max(0, int(y) - width // 2), int(y) + width // 2 + 1),
                slice(max(0, int(x) - width // 2), int(x) + width // 2 + 1),
            )
            if not (0 <= y < codes.shape[0] and 0 <= x < codes.shape[1]) or codes[int(y), int(x)] != code:
                break
            result[brush][codes[brush] == code] = code or phases + 1
            angle += rng.normal(0, 0.2)
            y, x = y + np.sin(angle), x + np.cos(angle)
    return result


@pytest.fixture(scope="module")
def rocks() -> list[tuple[np.ndarray, np.ndarray]]:
    """Images and masks of 6 to 12 % porosity."""
    scenes = [generate((192, 256), seed, SceneSettings(porosity=0.06 + 0.02 * seed)) for seed in range(4)]
    return [(scene.image, scene.label.astype(bool).astype(np.uint8)) for scene in scenes]


@pytest.mark.parametrize(("share", "width"), [(0.01, 3), (0.03, 3), (0.1, 7)])
def test_strokes_are_told_from_masks(rocks: list, share: float, width: int) -> None:
    """Of the least, one of four may be missed: a data set is asked about where half of its labels look so."""
    assert not any(looks_like_strokes(image, mask) for image, mask in rocks)
    assert sum(looks_like_strokes(image, strokes(mask, 1, share, width)) for image, mask in rocks) >= 3
    assert not looks_like_strokes(rocks[0][0], np.zeros_like(rocks[0][1]))


def _write(root: Path, rocks: list, share: float) -> Path:
    for folder in ("images", "labels"):
        (root / folder).mkdir()
    for number, (image, mask) in enumerate(rocks):
        Image.fromarray(image.astype(np.uint8)).save(root / "images" / f"{number}.png")
        Image.fromarray(strokes(mask, 1, share, seed=number)).save(root / "labels" / f"{number}.png")
    return root


def test_strokes_are_asked_about_and_the_answer_is_kept(rocks: list, tmp_path: Path) -> None:
    root = _write(tmp_path, rocks, 0.02)
    with pytest.raises(UserError) as caught:
        index_dataset(root, phases="pore=1")
    for part in ("4 of 4 labels look like strokes", "2 % of the pixels", "--unlabelled 0", "--unlabelled none"):
        assert part in str(caught.value)
    with pytest.raises(UserError, match=r"(?s)more than two values.*look like strokes"):  # both at once
        index_dataset(root)
    (values,) = index_dataset(root, phases="pore=1, rock=2", unlabelled=0).values
    assert values == LabelValues((Phase.of("pore"),), ((1,),), (0,), (2,))
    sample = index_dataset(root, phases="pore=1, rock=2", unlabelled=0).samples[0]
    label = np.asarray(Image.open(sample.label))
    assert sample.labelled == (label > 0).sum()
    assert sample.porosity == (label == 1).sum() / (label > 0).sum()
    assert index_dataset(root, phases="pore=1", unlabelled="none").samples[0].labelled == label.size
    (root / "phases.csv").write_text("value,phase\n1,pore\n0,rest\n")
    assert index_dataset(root).samples[0].labelled == label.size


@pytest.mark.data
@pytest.mark.skipif(not SHARED.is_dir(), reason="no real images")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vlse", {"divide": False}),
        ("phases/ebc1", {"phases": "crack=2"}),
        ("phases/uhcs", {"phases": "carbide network=3"}),
        ("phases/super2", {"phases": "tertiary precipitate=2"}),
    ],
)
def test_full_masks_of_thin_phases_are_not_asked_about(name: str, options: dict) -> None:
    """Also where the masks hold that phase alone."""
    samples = index_dataset(SHARED / name, **options).samples[:6]
    found = [looks_like_strokes(sample.read_image(), sample.read_codes()) for sample in samples]
    assert sum(found) < len(found) / 2
