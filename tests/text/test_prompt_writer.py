from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.stats import spearmanr

from pipeline.images import read_image, read_label
from pipeline.text.prompt_writer import (
    CONNECTIVITY,
    DENSITY,
    HETEROGENEITY,
    SHAPE,
    SIZE,
    ImageStatistics,
    dark_tail,
    write_prompt,
)
from pipeline.text.sources import phrases_of
from tests.paths import SHARED

NANKAI = SHARED / "nankai"
PLAIN = ImageStatistics(
    mean=0.5, std=0.2, median=0.5, p10=0.2, p90=0.8, entropy=4.5, edge_density=0.05, gradient_strength=0.04
)


def every_sentence():
    for p10, edges, gradient, bits in product(
        (0.0, 0.1, 0.2, 0.35, 0.45), (0, 0.01, 0.04, 0.2), (0.01, 0.035, 0.1), (3, 4.5, 6)
    ):
        yield write_prompt(replace(PLAIN, p10=p10, edge_density=edges, gradient_strength=gradient, entropy=bits))


def test_every_word_can_come_and_every_sentence_hedges():
    sentences = set(every_sentence())
    for rule in (DENSITY, SIZE, SHAPE, CONNECTIVITY, HETEROGENEITY):
        for words in (*(words for _, words in rule.steps), rule.above):
            assert any(f" {words}" in sentence for sentence in sentences), words
    for sentence in sentences:
        assert "suggest" in sentence
        assert "probably" in sentence
        assert not any(character.isdigit() for character in sentence)
        assert phrases_of(sentence) == (sentence,)  # no ensemble by accident


def test_every_sentence_fits_into_clip():
    from open_clip import SimpleTokenizer

    tokenizer = SimpleTokenizer()
    assert max(len(tokenizer.encode(sentence)) for sentence in every_sentence()) + 2 < 77 / 1.5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"p10": 0.0}, "moderately dense"),  # a tail of dark pixels: tail 0.62 of the range
        ({"p10": -0.3}, "dense, "),
        ({"p10": 0.45}, "few, "),
        ({"gradient_strength": 0.1}, "small pores"),
        ({"gradient_strength": 0.01}, "medium to large pores"),
        ({"edge_density": 0.01}, "weak-edged and isolated"),
        ({"edge_density": 0.2, "p10": 0.1}, "sharp-edged and partly connected"),
        ({"entropy": 5.5}, " heterogeneous matrix"),
        ({"entropy": 3.0}, "fairly uniform matrix"),
    ],
)
def test_each_statistic_has_its_say(changes, words):
    assert words in write_prompt(replace(PLAIN, **changes))


def test_darker_pores_make_it_denser_and_coarser_ones_larger():
    rng = np.random.default_rng(0)
    solid = rng.normal(150, 10, (256, 256))
    rows, columns = np.indices(solid.shape)
    few, many = solid.copy(), solid.copy()
    few[(rows % 64 < 8) & (columns % 64 < 8)] = 20
    many[(rows % 16 < 8) & (columns % 16 < 8)] = 20
    assert dark_tail(ImageStatistics.of(few)) < dark_tail(ImageStatistics.of(many))
    assert " dense, " in write_prompt(ImageStatistics.of(many))


def test_an_image_without_contrast_is_told_as_such():
    assert "without contrast" in write_prompt(ImageStatistics.of(np.zeros((20, 20), np.uint8)))


@pytest.mark.data
@pytest.mark.skipif(not NANKAI.is_dir(), reason="the Nankai images are not here")
def test_the_word_for_density_follows_the_labelled_porosity_of_a_mudrock():
    tails, porosity = [], []
    for file in sorted((NANKAI / "images").iterdir()):
        tails.append(dark_tail(ImageStatistics.of(read_image(file))))
        porosity.append((read_label(NANKAI / "labels" / file.name) == 2).mean())
    assert spearmanr(tails, porosity).statistic > 0.5
