from __future__ import annotations

import numpy as np
import pytest

from pipeline.synthetic.grains import CLAY, GRAIN, ORGANIC, PYRITE, make_solid
from pipeline.synthetic.scene import SceneSettings

SHAPE = (400, 420)


def solid(**settings):
    return make_solid(SHAPE, np.random.default_rng(2), SceneSettings(**settings))


def test_phases_cover_about_what_was_asked():
    phase = solid(grain_fraction=0.5, organic_fraction=0.08, pyrite_fraction=0.02).phase
    assert phase.shape == SHAPE
    # Organics and pyrite lie over clay and grains, and a whole grain is the least that can be added.
    assert (phase == ORGANIC).mean() == pytest.approx(0.08, abs=0.02)
    assert (phase == PYRITE).mean() == pytest.approx(0.02, abs=0.01)
    assert 0.3 < (phase == GRAIN).mean() < 0.55


def test_grey_levels_are_ordered_organic_clay_pyrite():
    rock = solid(organic_fraction=0.08, pyrite_fraction=0.02)
    organic, clay, pyrite = (np.median(rock.level[rock.phase == phase]) for phase in (ORGANIC, CLAY, PYRITE))
    assert 0.15 < organic < 0.38 < clay < 0.7 < pyrite


def test_without_grains_there_is_no_boundary():
    rock = solid(grain_fraction=0.0, organic_fraction=0.0, pyrite_fraction=0.0)
    assert np.all(rock.phase == CLAY)
    assert rock.boundary_distance.min() >= max(SHAPE)


def test_grains_grow_with_their_size():
    def boundary_share(size: float) -> float:
        return float((solid(grain_size=size, grain_fraction=0.9).boundary_distance < 1).mean())

    assert boundary_share(25) > 1.7 * boundary_share(75)


def test_grains_stretch_along_the_preferred_direction():
    rock = solid(anisotropy=1.0, orientation_deg=0.0, grain_fraction=0.9, organic_fraction=0.0, pyrite_fraction=0.0)
    edge = rock.boundary_distance < 1
    # Horizontal grains: a column crosses more boundaries than a row.
    crossings = [np.mean(np.diff(edge.astype(int), axis=axis) == 1) for axis in (0, 1)]
    assert crossings[0] > 1.4 * crossings[1]
