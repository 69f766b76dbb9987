"""The solid of a scene: mineral grains in clay, organic matter, pyrite, with their grey levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.spatial import cKDTree

from pipeline.synthetic.scene import SceneSettings
from pipeline.synthetic.shapes import Patch, axial_angles, blob, lens, paste, random_field

CLAY, GRAIN, ORGANIC, PYRITE = range(4)

CLAY_LEVEL = 0.52
GRAIN_LEVELS = (0.47, 0.50, 0.54, 0.60)
"""Grey levels of quartz, albite, potassium feldspar and carbonate, as backscattered electrons order them."""
GRAIN_SHARES = (0.45, 0.2, 0.2, 0.15)


@dataclass
class Solid:
    """The rock without its pores, each array ``(H, W)``.

    Attributes:
        phase: uint8, one of `CLAY`, `GRAIN`, `ORGANIC`, `PYRITE`.
        level: float32, grey level before the detector.
        boundary_distance: float32, distance to the nearest grain boundary, pixels.
    """

    phase: np.ndarray
    level: np.ndarray
    boundary_distance: np.ndarray


def make_solid(shape: tuple[int, int], rng: np.random.Generator, settings: SceneSettings) -> Solid:
    """Build the solid: a Laguerre tessellation whose cells are grains or, merged, clay; then organics and
    pyrite."""
    cell = _laguerre_cells(shape, rng, settings)
    count = int(cell.max()) + 1
    area = np.bincount(cell.ravel(), minlength=count)
    is_grain = _choose_grains(area, rng, settings.grain_fraction)

    # Clay cells merge into one body: only boundaries that touch a grain are left.
    body = np.where(is_grain, np.arange(1, count + 1), 0)[cell]
    edge = np.zeros(shape, bool)
    edge[:, 1:] |= body[:, 1:] != body[:, :-1]
    edge[1:] |= body[1:] != body[:-1]
    boundary_distance = _distance(~edge)

    phase = np.where(is_grain, GRAIN, CLAY).astype(np.uint8)[cell]
    level = _clay_texture(shape, rng, settings)
    grain_level = rng.choice(GRAIN_LEVELS, size=count, p=GRAIN_SHARES) + rng.normal(0, 0.015, count)
    in_grain = phase == GRAIN
    texture = 0.008 * random_field(shape, rng, 1.5) + 0.012 * random_field(shape, rng, 25.0)
    level[in_grain] = (grain_level.astype(np.float32)[cell] + texture)[in_grain]
    # Some grains stand out with a bright edge, others sink into a dark seam.
    rim = rng.normal(0.01, 0.07, count).astype(np.float32)[cell]
    level += rim * np.exp(-((boundary_distance / 1.5) ** 2))

    solid = Solid(phase, level, boundary_distance)
    _add_scratches(solid, rng)
    _add_organics(solid, rng, settings)
    _add_pyrite(solid, rng, settings.pyrite_fraction)
    return solid


def _laguerre_cells(shape: tuple[int, int], rng: np.random.Generator, settings: SceneSettings) -> np.ndarray:
    """Cell index of each pixel, ``(H, W)`` intp, in a Laguerre tessellation of lognormal discs, warped and
    stretched."""
    height, width = shape
    angle = np.deg2rad(settings.orientation_deg)
    stretch = 1 + 1.2 * settings.anisotropy
    y, x = np.ogrid[:height, :width]
    warp = 0.06 * settings.grain_size
    wave = settings.grain_size / 5
    warped_x = x + warp * random_field(shape, rng, wave) + 0.8 * random_field(shape, rng, 3.0)
    warped_y = y + warp * random_field(shape, rng, wave) + 0.8 * random_field(shape, rng, 3.0)
    along = (warped_x * np.cos(angle) - warped_y * np.sin(angle)) / np.sqrt(stretch)
    across = (warped_x * np.sin(angle) + warped_y * np.cos(angle)) * np.sqrt(stretch)

    low = np.array([along.min(), across.min()]) - settings.grain_size
    high = np.array([along.max(), across.max()]) + settings.grain_size
    sites, radii = _pack_discs(low, high, settings.grain_size / 2, rng)
    # Lifting site i to height sqrt(R^2 - r_i^2) turns the power distance d^2 - r_i^2 into a plain one (Aurenhammer,
    # SIAM J. Comput. 16 (1987) 78), which a k-d tree searches.
    # The largest disc may come out a rounding error below 0.
    lift = np.sqrt(np.maximum(radii.max() ** 2 - radii**2, 0))
    tree = cKDTree(np.column_stack([sites, lift]))
    points = np.stack([along, across, np.zeros_like(along)], axis=-1).reshape(-1, 3)
    return tree.query(points)[1].reshape(shape)


def _pack_discs(
    low: np.ndarray, high: np.ndarray, radius: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Throw lognormal discs of median `radius` into a box, large ones first, and keep those that overlap
    little."""
    count = int(1.6 * np.prod(high - low) / (np.pi * radius**2)) + 4
    radii = np.sort(radius * np.exp(np.clip(rng.normal(0, 0.5, count), -1.1, 1.1)))[::-1]
    centres = rng.uniform(low, high, size=(count, 2))
    kept = np.zeros(count, bool)
    for i in range(count):
        gap = np.hypot(*(centres[:i][kept[:i]] - centres[i]).T)
        kept[i] = not np.any(gap < 0.75 * (radii[:i][kept[:i]] + radii[i]))
    return centres[kept], radii[kept]


def _choose_grains(area: np.ndarray, rng: np.random.Generator, fraction: float) -> np.ndarray:
    """Choose cells, large ones rather than small ones, until they cover `fraction` of the area; bool per
    cell."""
    order = np.argsort(-area * rng.lognormal(0, 0.6, len(area)))
    covered = np.cumsum(area[order])
    chosen = np.zeros(len(area), bool)
    chosen[order[covered <= fraction * area.sum()]] = True
    return chosen


def _clay_texture(shape: tuple[int, int], rng: np.random.Generator, settings: SceneSettings) -> np.ndarray:
    """Grey level of clay: packed platelets, seen as short bright edges along three directions, and patchy
    brightness."""
    level = np.full(shape, CLAY_LEVEL, np.float32)
    level += 0.02 * random_field(shape, rng, 30.0)
    for angle in axial_angles(rng, 3, settings.orientation_deg, settings.anisotropy):
        strands = random_field(shape, rng, 14.0, 1.6, float(np.rad2deg(angle)))
        ridges = np.exp(-((strands / 0.25) ** 2))
        level += 0.025 * strands + 0.09 * ridges * (random_field(shape, rng, 12.0) > 0.2)
    return level


def _add_scratches(solid: Solid, rng: np.random.Generator) -> None:
    """Draw faint straight polishing scratches over everything."""
    height, width = solid.level.shape
    direction = rng.uniform(0, np.pi)
    y, x = np.ogrid[:height, :width]
    for _ in range(rng.integers(0, 5)):
        angle = direction + rng.normal(0, 0.05)
        from_x, from_y = x - rng.uniform(0, width), y - rng.uniform(0, height)
        offset = from_x * np.float32(np.sin(angle)) + from_y * np.float32(np.cos(angle))
        solid.level += np.float32(rng.choice([-0.03, 0.04])) * (np.abs(offset) < rng.uniform(0.6, 1.2))


def _add_organics(solid: Solid, rng: np.random.Generator, settings: SceneSettings) -> None:
    """Paste organic matter: smooth dark bodies and stringers whose grey level overlaps with that of pores."""
    shape = solid.phase.shape
    coverage = np.zeros(shape, np.float32)
    target = settings.organic_fraction * solid.phase.size
    mask = np.zeros(shape, bool)
    while mask.sum() < target:
        angle = axial_angles(rng, 1, settings.orientation_deg, settings.anisotropy)[0]
        if rng.random() < 0.5:
            patch = lens(rng, settings.pore_length * rng.uniform(1.0, 3.0), rng.uniform(5, 11), angle, roughness=0.1)
        else:
            patch = blob(rng, settings.grain_size * rng.uniform(0.15, 0.5), rng.uniform(1, 2.2), angle, roughness=0.2)
        window, part = paste(shape, rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), patch)
        # Organic matter is squeezed between the grains, whose faces cut it; little of it lies inside one.
        if rng.random() > 0.1:
            part = part & (solid.phase[window] != GRAIN)
        mask[window] |= part
        level = rng.uniform(0.20, 0.34)
        coverage[window] = np.where(part, level, coverage[window])
    soft = gaussian_filter(mask.astype(np.float32), 1.6)
    # Spreading the level beyond the mask (a normalised convolution) lets the soft edge end in the right grey.
    spread = gaussian_filter(coverage, 1.6) / np.maximum(soft, 1e-3)
    spread += 0.012 * random_field(shape, rng, 8.0)
    solid.level *= 1 - soft
    solid.level += soft * spread
    solid.phase[mask] = ORGANIC


def _add_pyrite(solid: Solid, rng: np.random.Generator, fraction: float) -> None:
    """Paste pyrite: framboids (round heaps of bright crystallites) and single crystals."""
    shape = solid.phase.shape
    target = fraction * solid.phase.size
    covered = 0
    while covered < target:
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        if rng.random() < 0.6:
            radius, size = rng.uniform(7, 20), rng.uniform(1.3, 2.6)
            count = int(0.55 * (radius / size) ** 2)
            distance = radius * np.sqrt(rng.random(count))
            turn = rng.uniform(0, 2 * np.pi, count)
            centres = np.column_stack([y + distance * np.sin(turn), x + distance * np.cos(turn)])
        else:
            size = rng.uniform(2, 6)
            centres = np.array([[y, x]])
        for centre_y, centre_x in centres:
            patch: Patch = blob(rng, size, rng.uniform(1, 1.3), rng.uniform(0, np.pi), roughness=0.12)
            window, part = paste(shape, centre_y, centre_x, patch)
            solid.level[window][part] = rng.uniform(0.82, 1.0)
            solid.phase[window][part] = PYRITE
            covered += int(part.sum())


def _distance(mask: np.ndarray) -> np.ndarray:
    """Euclidean distance to the nearest False pixel, float32; far where there is none."""
    if mask.all():
        return np.full(mask.shape, float(max(mask.shape)), np.float32)
    return distance_transform_edt(mask).astype(np.float32)
