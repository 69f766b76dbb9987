"""The pores of a scene: thin ones, rounded ones and ones between grains, up to a given porosity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.synthetic.grains import CLAY, GRAIN, ORGANIC, PYRITE, Solid
from pipeline.synthetic.scene import SceneSettings
from pipeline.synthetic.shapes import Patch, Window, axial_angles, blob, lens, paste, random_field

THIN, ROUND, BETWEEN = range(3)

# How readily a pore of each kind (rows) forms in each phase (columns: clay, grain, organic, pyrite). Pores between
# grains are placed on boundaries instead.
HOSTS = np.zeros((2, 4))
HOSTS[THIN, [CLAY, GRAIN, ORGANIC, PYRITE]] = 1.0, 0.1, 0.15, 0.0
HOSTS[ROUND, [CLAY, GRAIN, ORGANIC, PYRITE]] = 0.35, 0.15, 1.0, 0.0


@dataclass
class Pores:
    """Pores, each array ``(H, W)``.

    Attributes:
        label: bool, true where there is pore.
        floor: float32, grey level at the bottom of the pore there; 1 outside.
    """

    label: np.ndarray
    floor: np.ndarray


def make_pores(solid: Solid, rng: np.random.Generator, settings: SceneSettings) -> Pores:
    """Place pores one by one until their area is ``settings.porosity`` of the image, to the pixel.

    The kind that is furthest behind its share of the area comes next; the last pore is cut to what is left.
    """
    shape = solid.phase.shape
    pores = Pores(np.zeros(shape, bool), np.ones(shape, np.float32))
    left = round(settings.porosity * solid.phase.size)
    rest = 1 - settings.elongated_fraction
    share = np.array([settings.elongated_fraction, 0.5 * rest, 0.5 * rest])
    served = np.zeros(3)
    boundary = _Boundary(solid, rng, settings)
    while left > 0:
        kind = int(np.argmax(share * (served.sum() + 1) - served))
        window, part = _draw(kind, solid, boundary, rng, settings)
        new = part & ~pores.label[window]
        gained = int(new.sum())
        # Pores seldom cross; those that would mostly repeat another one never help.
        if gained < 0.7 * part.sum() and (gained == 0 or rng.random() < 0.8):
            # A kind that finds no more room gives way to the others.
            served[kind] += 0.1 * part.sum() + 1
            continue
        if gained > left:
            new = _nearest_to_centre(new, left)
            gained = left
        pores.label[window] |= new
        # Deep pores are black, shallow ones show their floor and are hard to tell from organic matter.
        floor = np.float32(rng.beta(1.6, 3.0) * 0.42)
        pores.floor[window] = np.where(new, floor, pores.floor[window])
        served[kind] += gained
        left -= gained
    return pores


class _Boundary:
    """Places on grain boundaries, those along the preferred direction first when the scene is anisotropic."""

    def __init__(self, solid: Solid, rng: np.random.Generator, settings: SceneSettings) -> None:
        distance = solid.boundary_distance
        y, x = np.nonzero((distance < 1) & (solid.phase <= GRAIN))
        picked = rng.permutation(len(y))[:20000]
        y, x = y[picked], x[picked]
        # Two steps along the preferred axis: a boundary in this direction is still near there.
        angle = np.deg2rad(settings.orientation_deg)
        off_axis = np.zeros(len(y))
        for step in (-6, 6):
            at_y = np.clip(np.rint(y - step * np.sin(angle)).astype(int), 0, distance.shape[0] - 1)
            at_x = np.clip(np.rint(x + step * np.cos(angle)).astype(int), 0, distance.shape[1] - 1)
            off_axis += distance[at_y, at_x] / 6
        kept = rng.random(len(y)) < np.exp(-4 * settings.anisotropy * off_axis)
        self.places = np.column_stack([y, x])[kept]
        self.unevenness = random_field(distance.shape, rng, 3.0)


def _draw(
    kind: int, solid: Solid, boundary: _Boundary, rng: np.random.Generator, settings: SceneSettings
) -> tuple[Window, Patch]:
    """Draw one pore of `kind` at a place that suits it: its window in the image and its mask there."""
    shape = solid.phase.shape
    if kind == BETWEEN and len(boundary.places):
        y, x = boundary.places[rng.integers(len(boundary.places))]
        radius = settings.pore_length * rng.uniform(0.25, 0.8)
        width = rng.uniform(1.2, 4.0)
        window, reach = paste(shape, y, x, _distance_patch(radius))
        # Near the boundary, thickest in the middle: a seam along a contact, a triangle where three grains meet.
        opening = width * (1 - (reach / radius) ** 2) * (1 + 0.5 * boundary.unevenness[window])
        return window, solid.boundary_distance[window] < opening
    while True:
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        phase = solid.phase[int(y), int(x)]
        if rng.random() < HOSTS[min(kind, ROUND), phase]:
            break
    angle = axial_angles(rng, 1, settings.orientation_deg, settings.anisotropy)[0]
    if kind == THIN:
        length = settings.pore_length * np.exp(np.clip(rng.normal(0, 0.45), -1, 1.1))
        width = max(length / rng.uniform(4, 9), 2.4)
        return paste(shape, y, x, lens(rng, length, width, angle, roughness=0.2))
    radius = settings.pore_length * (0.09 if phase == ORGANIC else 0.19)
    radius *= np.exp(np.clip(rng.normal(0, 0.4), -1, 1))
    return paste(shape, y, x, blob(rng, max(radius, 1.3), rng.uniform(1, 1.7), angle, roughness=0.12))


def _distance_patch(radius: float) -> np.ndarray:
    """Distance from the centre of a square patch that holds a disc of `radius`."""
    half = int(np.ceil(radius))
    y, x = np.ogrid[-half : half + 1, -half : half + 1]
    return np.hypot(y, x)


def _nearest_to_centre(mask: Patch, count: int) -> Patch:
    """Keep the `count` pixels of `mask` nearest to its centre of mass."""
    y, x = np.nonzero(mask)
    order = np.argsort(np.hypot(y - y.mean(), x - x.mean()), kind="stable")[:count]
    kept = np.zeros_like(mask)
    kept[y[order], x[order]] = True
    return kept
