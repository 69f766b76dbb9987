"""The figures of a report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from pipeline.measure.pore_statistics.orientation import NO_DIRECTION
from pipeline.measure.pore_statistics.representative_area import REPRESENTATIVE
from pipeline.report.drawings import (
    chord_figure,
    correlation_figure,
    porosity_map_figure,
    representative_area_figure,
    rose_figure,
    shape_figure,
    size_figure,
    threshold_figure,
)
from pipeline.report.measures import ENOUGH_OBJECTS, SHAPE_AREA_PX, Measures
from pipeline.report.units import length_text, number, percent, whole


@dataclass(frozen=True)
class Plot:
    """A figure of the report.

    Attributes:
        name: of its file, without suffix.
        title: a few words.
        caption: what it shows and what is to be seen.
        figure: the drawing.
        in_space: whether it is about 3-D objects.
    """

    name: str
    title: str
    caption: str
    figure: Figure
    in_space: bool = False


#: title, caption and drawing
Drawn = tuple[str, str, Figure]


def plots_of(measures: Measures) -> tuple[Plot, ...]:
    """The figures that have something to show, in the order of the report."""
    drawn = ((name, draw(measures)) for name, draw in PLOTS.items())
    return tuple(Plot(name, *found, name in _IN_SPACE) for name, found in drawn if found is not None)


def _sizes(measures: Measures) -> Drawn | None:
    sizes = measures.told_sizes
    if sizes is None:
        return None
    cut = f", which is {percent(1 - measures.cut_area_share)} of {measures.its_area}" if measures.cut_area_share else ""
    corrected = measures.corrected_sizes
    text = f"Equivalent diameters of the {measures.rows_are} that are not cut by a border{cut}. {_LINES}"
    figure = size_figure(sizes, measures.scale.unit, corrected)
    return f"{_kind(measures)} sizes", text + (_DOTTED if corrected is not None else ""), figure


_LINES = "Lines are the medians."
_DOTTED = " Dotted: corrected for the border (Miles-Lantuéjoul)."


def _body_sizes(measures: Measures) -> Drawn | None:
    sizes, corrected = measures.body_sizes(), measures.body_sizes(corrected=True)
    if sizes is None:
        return None
    things, share = measures.terms.things, measures.cut_volume_share
    cut = f", which hold {percent(1 - share)} of {measures.its_volume}" if share else ""
    text = (
        f"Diameters of the spheres of the same volume, of the {whole(sizes.count)} 3-D {things} that reach no face of "
        f"the stack{cut}. {_LINES}"
    )
    cubes = f" {measures.voxels_as_cubes.capitalize()}." if measures.voxels_as_cubes else ""
    figure = size_figure(sizes, measures.body_scale.unit, corrected, "volume")
    return f"Sizes of 3-D {things}", text + (_DOTTED if corrected is not None else "") + cubes, figure


def _directions(measures: Measures) -> Drawn | None:
    rose = measures.rose
    if rose is None or rose.count < ENOUGH_OBJECTS:
        return None
    text = (
        f"Long axes of {whole(rose.count)} whole {measures.rows_are} of at least {SHAPE_AREA_PX} px², weighted by "
        "area. 0° is the x axis, counter-clockwise. The area of each petal is its share; the line is the mean "
        f"direction{', which is not significant' if rose.p_uniform >= NO_DIRECTION else ''}."
    )
    return f"{_kind(measures)} directions", text, rose_figure(rose)


def _shapes(measures: Measures) -> Drawn | None:
    if measures.rose is None or measures.rose.count < ENOUGH_OBJECTS:
        return None
    pores, several = measures.shaped_pores, measures.rows_are
    text = (
        f"Whole {several} of at least {SHAPE_AREA_PX} px², by number. A circle has 1 in both; on a pixel grid, small "
        f"{several} may exceed it."
    )
    figure = shape_figure(pores["aspect_ratio"].to_numpy(), pores["circularity"].to_numpy(), several)
    return f"{_kind(measures)} shapes", text, figure


def _porosity_map(measures: Measures) -> Drawn | None:
    fields, side, shown = measures.porosity.fields[measures.shown_slice], measures.porosity.field, measures.shown
    if not np.isfinite(fields).any():
        return None
    fraction = measures.terms.fraction
    text = f"{fraction.capitalize()} of square fields of {side} px." + (
        " White: no rock." if np.isnan(fields).any() else ""
    )
    if shown:
        text = f"{shown.capitalize()}: {text[0].lower()}{text[1:]}"
    figure = porosity_map_figure(fields, side, measures.plan.region, measures.field_scale, shown, fraction)
    return f"{fraction.capitalize()} across the scan", text, figure


def _representative_area(measures: Measures) -> Drawn | None:
    areas = measures.representative
    if len(areas.side) < 2 or not areas.mean.any():
        return None
    text = (
        f"{measures.terms.fraction.capitalize()} of adjacent "
        f"fields{', as thick as wide or as the stack,' if measures.is_stack else ''} against "
        f"their side. {_representative(measures)} The largest size has {whole(areas.count[-1])} fields, with a "
        f"standard deviation of {number(100 * areas.spread[-1], 2)} percentage points."
    )
    fraction = measures.terms.fraction
    figure = representative_area_figure(areas, measures.field_scale, measures.porosity.porosity, fraction)
    return "Representative field size", text, figure


def _representative(measures: Measures) -> str:
    """What the figure of the representative area answers."""
    side, within = measures.representative.representative_side, percent(REPRESENTATIVE, 2)
    if np.isfinite(side):
        return (
            f"Answer: a field of {length_text(side, measures.pixel_size_nm)} on a side represents the scan (spread "
            f"below {within} of the mean)."
        )
    return f"Answer: no field that fits into the scan represents it (spread of {within} of the mean or more)."


def _two_point(measures: Measures) -> Drawn | None:
    survey = measures.survey
    if not survey.two_point_x.hits[0]:
        return None
    phase, scale, fraction = measures.terms.phase, measures.scale, measures.terms.fraction
    text = f"Probability that two points at a distance are both {phase}. A difference between the curves is anisotropy."
    figure = correlation_figure(survey.two_point_x, survey.two_point_y, scale, fraction)
    return "Two-point correlation", text, figure


def _chords(measures: Measures) -> Drawn | None:
    survey = measures.survey
    if not (survey.chords_x.counts.any() or survey.chords_y.counts.any()):
        return None
    phase = measures.terms.phase
    text = f"Lengths of {phase} along rows and columns of pixels; those cut by a border are excluded from the curves."
    return "Chord lengths", text, chord_figure(survey.chords_x, survey.chords_y, measures.scale)


def _threshold(measures: Measures) -> Drawn | None:
    threshold, probabilities = measures.threshold, measures.survey.probabilities
    if threshold is None or not probabilities[1:].any():
        return None
    fraction = measures.terms.fraction
    nearby = [one for one in (threshold - 0.1, threshold + 0.1) if 0 < one < 1]
    others = " and ".join(f"{percent(measures.porosity_at(one))} at {one:.2f}" for one in nearby)
    text = (
        f"{fraction.capitalize()} that another threshold would give: {others}. Where the curve is steep, the edges of "
        f"the {measures.terms.things} are uncertain."
    )
    if measures.is_one_of_several:
        text += " Pixels that are more likely of another phase are counted here, too."
    return f"{fraction.capitalize()} and the threshold", text, threshold_figure(probabilities, threshold, fraction)


def _kind(measures: Measures) -> str:
    return "Section" if measures.is_stack else measures.terms.thing.capitalize()


#: by the names of their files, in the order of the report; each function gives None where there is nothing to draw
PLOTS: dict[str, Callable[[Measures], Drawn | None]] = {
    "size_distribution_3d": _body_sizes,
    "size_distribution": _sizes,
    "orientation_rose": _directions,
    "shapes": _shapes,
    "porosity_map": _porosity_map,
    "representative_area": _representative_area,
    "two_point_correlation": _two_point,
    "chord_lengths": _chords,
    "threshold": _threshold,
}
#: of these, those about 3-D objects
_IN_SPACE = {"size_distribution_3d"}
