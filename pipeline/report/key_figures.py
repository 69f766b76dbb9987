"""The numbers at the top of a report, and the sentences below them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.measure.pore_statistics import SizeDistribution
from pipeline.measure.pore_statistics.orientation import NO_DIRECTION
from pipeline.measure.pore_statistics.representative_area import REPRESENTATIVE
from pipeline.measure.porosity import CONFIDENCE
from pipeline.report.measures import ENOUGH_OBJECTS, SHAPE_AREA_PX, Measures
from pipeline.report.units import (
    MISSING,
    area_text,
    length_text,
    number,
    percent,
    percent_range,
    volume_text,
    whole,
    with_unit,
)


@dataclass(frozen=True)
class KeyFigure:
    """A number at the top of the report.

    Attributes:
        name: what it is.
        value: with its unit.
        note: one line below it.
    """

    name: str
    value: str
    note: str = ""


def phase_figures(measures: Measures) -> tuple[KeyFigure, ...]:
    """Those of a phase: its share of the rock, and of its objects number, size and anisotropy.

    Of a stack that was measured in space, those of the volume; those of the sections in its slices are
    `section_figures`.
    """
    if measures.volume:
        return _porosity(measures), _bodies(measures), _connected(measures), *_body_size(measures)
    return (_porosity(measures), *_of_table(measures))


def section_figures(measures: Measures) -> tuple[KeyFigure, ...]:
    """Of a stack that was measured in space, those of the sections in its slices; of others none."""
    return _of_table(measures) if measures.volume else ()


def _of_table(measures: Measures) -> tuple[KeyFigure, ...]:
    return (_pores(measures), _size(measures), _anisotropy(measures)) if measures.listed else ()


def scan_figures(measures: Measures) -> tuple[KeyFigure, ...]:
    """Those of the scan: pixel size and area."""
    return _pixel(measures), _area(measures)


def summary(measures: Measures) -> tuple[str, ...]:
    """The main findings in sentences, with measured numbers only."""
    sentences = []
    porosity, sizes, rose = measures.porosity, measures.told_sizes, measures.rose
    if np.isfinite(porosity.porosity):
        interval = ""
        if np.isfinite(porosity.interval[0]):
            interval = f" ({_interval(measures)})"
        make = "Pores make" if measures.terms.is_pore else "It makes"
        sentences.append(f"{make} up {percent(porosity.porosity)} of the analysed rock{interval}.")
    if measures.otsu_porosity is not None:
        sentences.append(
            f"For comparison: Otsu's threshold, which knows grey levels only, would call "
            f"{percent(measures.otsu_porosity)} pore."
        )
    sentences += _in_space(measures)
    if measures.note is not None:
        sentences.append(measures.note)
    if sizes is not None:
        sentences.append(_half_of_the_area(measures, sizes))
    if rose is not None and np.isfinite(rose.mean_deg):
        axes = "The long axes of the sections" if measures.is_stack else "The long axes"
        if rose.p_uniform < NO_DIRECTION:
            sentences.append(
                f"{axes} prefer a direction of {number(rose.mean_deg)}° to the x axis, counter-clockwise "
                f"(resultant length {number(rose.resultant_length, 2)}; 0: no direction, 1: parallel)."
            )
        else:
            sentences.append(f"{axes} show no statistically significant preferred direction.")
    side = measures.representative.representative_side
    if np.isfinite(side):
        sentences.append(
            f"In fields of {length_text(side, measures.pixel_size_nm)} or more on a side, {measures.terms.fraction} "
            "varies from field "
            f"to field by less than {percent(REPRESENTATIVE, 2)} of its value."
        )
    elif len(measures.representative.side) and porosity.porosity > 0:
        sentences.append(
            f"{measures.terms.fraction.capitalize()} varies by {percent(REPRESENTATIVE, 2)} of its value or more even "
            "among the largest fields that "
            "could be compared: the scan is too small for the heterogeneity of this rock."
        )
    return tuple(sentences)


def _half_of_the_area(measures: Measures, sizes: SizeDistribution) -> str:
    """In which sizes the area lies, and what these sizes leave out."""
    low, middle, high = (with_unit(number(size), measures.scale.unit) for size in sizes.area_percentiles)
    half = f"is in {measures.rows_are} of up to {middle} in diameter (D10 {low}, D90 {high})"
    corrected = measures.corrected_sizes
    if corrected is None:
        return f"{'In the slices, half' if measures.is_stack else 'Half'} of {measures.its_area} {half}."
    by_area = with_unit(number(corrected.area_percentiles[1]), measures.scale.unit)
    return (
        f"{'In the slices, ' * measures.is_stack}{percent(measures.cut_area_share)} of {measures.its_area} is in "
        f"{measures.rows_are} that the border cuts, "
        f"whose size is not known. Half of the rest {half}; corrected for the border (Miles-Lantuéjoul) up to "
        f"{by_area}."
    )


def _interval(measures: Measures) -> str:
    """The interval, what it is of, and the part that is from field to field."""
    porosity = measures.porosity
    confidence, ends = percent(CONFIDENCE, 2), percent_range(*porosity.interval)
    if porosity.model_error is None:
        return f"{confidence} interval of sampling alone {ends}: {porosity.why_none}"
    fields = percent_range(porosity.low, porosity.high) if np.isfinite(porosity.low) else ""
    return f"{confidence} interval {ends} with the model's own error" + (
        f"; from field to field {fields}" if fields else ""
    )


def _porosity(measures: Measures) -> KeyFigure:
    porosity = measures.porosity
    note = "no interval: fewer than two fields with rock"
    if np.isfinite(porosity.interval[0]):
        note = _interval(measures)
    of_volume = " of the volume" if measures.is_stack and measures.terms.is_pore else ""
    return KeyFigure(f"{measures.terms.fraction.capitalize()}{of_volume}", percent(porosity.porosity), note)


def _pores(measures: Measures) -> KeyFigure:
    count, note = len(measures.table), ""
    if measures.pixel_size_nm is not None and measures.porosity.rock:
        per_mm2 = count / (measures.porosity.rock * (measures.pixel_size_nm / 1e6) ** 2)
        note = f"{with_unit(number(per_mm2), 'per mm²')} of rock"
    elif measures.porosity.rock:
        note = f"{number(1e6 * count / measures.porosity.rock)} per megapixel of rock"
    things = measures.terms.things
    return KeyFigure(f"Sections of {things}" if measures.is_stack else things.capitalize(), whole(count), note)


def _bodies(measures: Measures) -> KeyFigure:
    connectivity, things = measures.volume["connectivity"], measures.terms.things
    note = f"whose voxels touch at faces, edges or corners; {whole(len(measures.table))} sections in the slices"
    return KeyFigure(f"3-D {things}", whole(connectivity["pores"]), note)


def _shares(measures: Measures) -> list[float]:
    """The connected fractions along x, y and z; NaN where there is none."""
    along = (measures.volume["connectivity"].get(axis) or {} for axis in "xyz")
    return [float("nan") if (share := one.get("percolating_share")) is None else share for one in along]


def _connected(measures: Measures) -> KeyFigure:
    value = " / ".join(number(100 * share) for share in _shares(measures))
    note = f"of {measures.its_volume} in {measures.terms.things} that reach both faces, along x / y / z"
    return KeyFigure("Connected fraction", with_unit(value, "%"), note)


def _body_size(measures: Measures) -> tuple[KeyFigure, ...]:
    """Of the 3-D objects; nothing where they are not listed."""
    if measures.bodies is None:
        return ()
    sizes, corrected = measures.body_sizes(), measures.body_sizes(corrected=True)
    cut = "whole " if measures.cut_volume_share else ""
    name, unit = f"Median size of {cut}3-D {measures.terms.things}", measures.body_scale.unit
    if sizes is None:
        reach = f"every 3-D {measures.terms.thing} reaches a face of the stack"
        few = _too_few(measures.whole_bodies, f"3-D {measures.terms.things} that reach no face of the stack")
        return (KeyFigure(name, MISSING, few or reach),)
    note = f"diameter of the sphere, by number; by volume {with_unit(number(sizes.area_percentiles[1]), unit)}"
    note += f"; {measures.voxels_as_cubes}" if measures.voxels_as_cubes else ""
    if corrected is not None:
        of = [with_unit(number(one[1]), unit) for one in (corrected.number_percentiles, corrected.area_percentiles)]
        note += (
            f"; without those that reach a face ({percent(measures.cut_volume_share)} of {measures.its_volume}); "
            f"corrected for it {of[0]} and {of[1]}"
        )
    return (KeyFigure(name, with_unit(number(sizes.number_percentiles[1]), unit), note),)


def _too_few(objects: pd.DataFrame | None, what: str) -> str:
    """Why there is no median of some objects; empty where there are none, or enough."""
    count = 0 if objects is None else len(objects)
    return f"fewer than {ENOUGH_OBJECTS} {what} ({count})" if 0 < count < ENOUGH_OBJECTS else ""


def _in_space(measures: Measures) -> list[str]:
    """What was found in space, of a stack; it stands before what was found in the slices."""
    if not measures.volume or not measures.volume["connectivity"]["pores"]:
        return []
    found, things = measures.volume["connectivity"], measures.terms.things
    sentences = [
        f"In space there are {whole(found['pores'])} connected {things}, and the largest holds "
        f"{percent(found['largest_share'])} of {measures.its_volume}."
    ]
    shares = [f"{percent(share)} along {axis}" for axis, share in zip("xyz", _shares(measures), strict=True) if share]
    none = f"None of these {things} reaches from one face of the stack to the opposite one."
    reach = (
        f"{things.capitalize()} that reach from face to face hold, of {measures.its_volume}, {' and '.join(shares)}."
    )
    return [*sentences, reach if shares else none]


def _size(measures: Measures) -> KeyFigure:
    sizes = measures.told_sizes
    name, what = f"Median {measures.terms.thing} size", ""
    if measures.is_stack:
        name, what = "Median size of sections", " of the sections in the slices"
    if sizes is None:
        few = _too_few(measures.whole_pores, f"whole {measures.rows_are}")
        return KeyFigure(name, MISSING, few or f"no whole {measures.terms.thing} in the scan")
    unit = measures.scale.unit
    by_area = with_unit(number(sizes.area_percentiles[1]), unit)
    by_number = with_unit(number(sizes.number_percentiles[1]), unit)
    note = f"equivalent diameter{what}, by number; by area {by_area}"
    corrected = measures.corrected_sizes
    if corrected is not None:
        of = [with_unit(number(one[1]), unit) for one in (corrected.number_percentiles, corrected.area_percentiles)]
        note += (
            f"; without those that the border cuts ({percent(measures.cut_area_share)} of {measures.its_area}); "
            f"corrected for it {of[0]} and {of[1]}"
        )
    return KeyFigure(name, by_number, note)


def _anisotropy(measures: Measures) -> KeyFigure:
    rose = measures.rose
    if rose is None:
        return KeyFigure("Anisotropy", MISSING, f"no whole {measures.terms.thing} of {SHAPE_AREA_PX} px² or more")
    direction = f"along {number(rose.mean_deg)}° to x" if np.isfinite(rose.mean_deg) else "no direction"
    if rose.p_uniform >= NO_DIRECTION:
        direction = "not significant"
    ratio = number(measures.intercept_ratio)
    note = f"0 to 1{', of the sections' if measures.is_stack else ''}; {direction}; mean intercepts x : y = {ratio}"
    return KeyFigure("Anisotropy", number(rose.resultant_length, 2), note)


def _pixel(measures: Measures) -> KeyFigure:
    size = measures.pixel_size_nm
    if size is None:
        return KeyFigure("Pixel size", "not known", "lengths are in pixels (px)")
    text = with_unit(f"{size:.4g}", "nm") if size < 1000 else with_unit(f"{size / 1000:.4g}", "µm")
    spacing = measures.volume.get("slice_spacing_nm")
    apart = "" if spacing is None else f"; slices are {length_text(spacing, 1)} apart"
    return KeyFigure("Pixel size", text, f"side of a pixel{apart}")


def _area(measures: Measures) -> KeyFigure:
    depth, height, width = measures.plan.shape
    note = f"{whole(width)} × {whole(height)} px" + (f" × {whole(depth)} slices" if depth > 1 else "")
    rock = measures.porosity.rock
    empty = 1 - rock / (width * height * depth)
    if empty > 0:
        note += f", {percent(empty, 2)} of it without rock"
    if depth == 1:
        return KeyFigure("Rock analysed", area_text(rock, measures.pixel_size_nm), note)
    spacing = measures.volume.get("slice_spacing_nm")
    return KeyFigure("Rock analysed", volume_text(rock, measures.pixel_size_nm, spacing), note)
