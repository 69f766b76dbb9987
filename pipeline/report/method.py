"""What a report says about how its numbers were obtained, and about their limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.foreground.shading import CELL
from pipeline.measure.pore_statistics.orientation import NO_DIRECTION
from pipeline.measure.pore_statistics.representative_area import LEAST_ROCK
from pipeline.measure.porosity import CONFIDENCE, DRAWS, FEW_FIELDS
from pipeline.phases import PORE
from pipeline.report.measures import SHAPE_AREA_PX, Measures
from pipeline.report.units import length_text, number, percent, whole

#: smallest relative difference of a pixel's width and height that is mentioned
_SQUARE = 0.01

REFERENCES = (
    "B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall (1993).",
    "C. Lantuéjoul, On the estimation of mean values in individual analysis of particles, Microscopica Acta S4 (1980) "
    "266–273.",
    "ISO 9276-1: Representation of results of particle size analysis – Part 1: Graphical representation.",
    "K. V. Mardia and P. E. Jupp, Directional Statistics, Wiley (2000).",
    "S. Torquato, Random Heterogeneous Materials, Springer (2002), chapter 2.",
    "E. E. Underwood, Quantitative Stereology, Addison-Wesley (1970).",
    "A. J. VandenBygaart and R. Protz, The representative elementary area (REA) in studies of quantitative soil "
    "micromorphology, Geoderma 89 (1999) 333–346.",
)


def method(measures: Measures, phases: Sequence[str] = (PORE,)) -> tuple[tuple[str, str], ...]:
    """Headings and paragraphs on how the numbers were obtained.

    Args:
        measures: of the phase, or of one of several, with the words for any of them.
        phases: that were asked for.
    """
    terms = measures.terms
    field = length_text(measures.porosity.field, measures.pixel_size_nm)
    several = measures.rows_are
    one = "section of a slice" if measures.is_stack else terms.thing
    phase = terms.phase
    return (
        (
            "Segmentation",
            f"{_decision(measures, phases)} Unless the settings say otherwise, shading is removed from the scan first, "
            f"so that the rock is equally bright everywhere (median grey level in cells of {CELL} px, without large "
            f"pores and bright grains). {terms.fraction.capitalize()} is {phase} area over rock area, pores included.",
        ),
        (
            "Interval",
            f"Whole fields of view (side {field}{_thick(measures)}; {whole(measures.porosity.drawn)} of them with "
            f"rock) are drawn with replacement {whole(DRAWS)} times; the middle {percent(CONFIDENCE, 2)} of the "
            f"{terms.fractions} are the interval from field to field (block bootstrap; Efron and Tibshirani 1993)."
            f"{_model_part(measures)}",
        ),
        (
            terms.things.capitalize(),
            f"{'Pore pixels' if terms.is_pore else 'Pixels of a phase'} that touch at sides or corners form one {one}. "
            "The equivalent diameter is that of a circle "
            f"of the same area. {several.capitalize()} below {whole(measures.min_area_px)} px² are not in the table. "
            f"Dx is the smallest diameter up to which {several} make up x\u00a0% of the number, or of the area "
            "(ISO 9276-1); P5 to P95 in the table are defined likewise, by number.",
        ),
        (
            "Directions",
            f"Angles of the long axes of the ellipses with the {several}' second moments, counter-clockwise from x, "
            "weighted by area. The anisotropy is the resultant length of the doubled angles (Mardia and Jupp 2000). "
            f"Only whole {several} of at least {SHAPE_AREA_PX} px² count. Rayleigh's test with the effective number of "
            f"{several}{_divided(measures)} decides, at a significance level of {percent(NO_DIRECTION, 1)}, whether "
            "there is a preferred direction.",
        ),
        (
            "Two-point probability S₂",
            f"The share of pairs of rock pixels at a distance, along x or y, that are both {phase}: {terms.fraction} "
            f"at distance 0, {terms.fraction} squared where {terms.things} are independent. The correlation length is "
            "the distance at which the "
            "covariance has fallen to 1/e of its value at 0 (Torquato 2002).",
        ),
        (
            "Chords",
            f"The lengths of {phase} crossed by each row and each column of pixels. The mean intercept length is "
            f"{phase} length over half the number of visible ends, so that chords cut by a border count correctly "
            "(Underwood 1970).",
        ),
        (
            "Representative area",
            f"{terms.fraction.capitalize()} in adjacent fields of increasing side{_as_thick(measures)}; fields of "
            "which at least "
            f"{percent(LEAST_ROCK, 2)} is rock count (VandenBygaart and Protz 1999).",
        ),
    )


def _decision(measures: Measures, phases: Sequence[str]) -> str:
    """How a pixel came to its phase."""
    if len(phases) == 1:
        threshold = "" if measures.threshold is None else f" of {measures.threshold:g}"
        phase = measures.terms.phase
        return (
            f"A neural network gives each pixel a probability of being {phase}; pixels at or above the threshold"
            f"{threshold} are {phase}."
        )
    return (
        f"A neural network gives each pixel a probability of each phase ({', '.join(phases)}). A pixel is the most "
        "probable of those that reach their threshold, or none of them: so that phases exclude each other."
    )


#: those that are about the objects of a phase
_OF_PHASE = ("Resolution", "Border")


def phase_caveats(measures: Measures) -> tuple[tuple[str, str], ...]:
    """Of these, those that differ from phase to phase."""
    return tuple(one for one in caveats(measures) if one[0] in _OF_PHASE) if measures.listed else ()


def scan_caveats(measures: Measures) -> tuple[tuple[str, str], ...]:
    """Of these, those that hold for the whole scan; the measures are of any phase, with the words for all of them."""
    return tuple(one for one in caveats(measures) if one[0] not in _OF_PHASE)


def caveats(measures: Measures) -> tuple[tuple[str, str], ...]:
    """What a reader has to know before using the numbers, headings and paragraphs."""
    acquisition, terms = measures.acquisition, measures.terms
    found = [
        *_dimensions(measures),
        ("Resolution", _resolution(measures)),
        ("Interval", _interval(measures)),
        (
            "Probabilities",
            "These are the network's own estimates. On rock or imaging conditions unlike its training they may be "
            "confidently wrong: check the overlay.",
        ),
    ]
    if measures.cut_area_share > 0:
        cut = whole(len(measures.table) - len(measures.whole_pores))
        text = (
            f"{cut} {measures.rows_are} with {percent(measures.cut_area_share)} of the table's {terms.thing} area are "
            "cut by "
            f"the border of the {'slices' if measures.is_stack else 'scan'}. They count in {terms.fraction} and "
            "number, but "
            "not in sizes, shapes and directions. Large ones are cut more often than small ones: corrected sizes count "
            "each whole one for as many as it stands for (Miles-Lantuéjoul). Of those that are too large to lie whole "
            "in such a field, nothing is known."
        )
        found.append(("Border", text))
    if measures.survey.share < 1:
        text = (
            f"The scan is large, so two-point probability, chords and {terms.fraction} by threshold are measured on "
            f"{percent(measures.survey.share)} of it, in evenly spread bands; chords along y end at their borders. "
            "Everything else is measured on the whole scan."
        )
        found.append(("Sampling", text))
    if measures.pixel_size_nm is None:
        text = (
            "The pixel size is not known: lengths are in pixels, and it is not known whether the network was trained "
            "at this scale."
        )
        found.append(("Scale", text))
    if acquisition is not None:
        height, width = acquisition.get("pixel_height_nm"), acquisition.get("pixel_width_nm")
        if height and width and measures.pixel_size_nm and abs(height / width - 1) > _SQUARE:
            text = (
                f"Pixels are {width:.4g} nm wide and {height:.4g} nm high. Lengths are given as if both "
                f"were {measures.pixel_size_nm:.4g} nm."
            )
            found.append(("Pixels that are not square", text))
        found.extend(("Image file", str(warning)) for warning in acquisition.get("warnings") or ())
    return tuple(found)


def _dimensions(measures: Measures) -> list[tuple[str, str]]:
    volume, terms = measures.manifest.get("volume") or {}, measures.terms
    things, area = terms.things, "Area porosity" if terms.is_pore else "Area fraction"
    if not measures.is_stack:
        text = (
            f"The scan is two-dimensional. {area} equals volume {terms.fraction if terms.is_pore else 'fraction'} only "
            "if "
            f"the section is representative of the rock. Sizes are those of sections through {things}, not of "
            f"{things}. "
            f"Connections between {things} are not visible."
        )
        return [("Section", text)]
    text = (
        f"Sizes, shapes and directions are those of sections through {things} in each slice. "
        f"{terms.a_thing.capitalize()} has a section in every slice that it crosses, so that those through many slices "
        f"are counted more often. The 3-D {things} are in {terms.table}_3d.csv, and how they are connected is under "
        "In space."
    )
    return [("Slices", text), *(("Volume", str(caveat)) for caveat in volume.get("caveats", ()))]


def _resolution(measures: Measures) -> str:
    size, min_area_px, dropped = measures.pixel_size_nm, measures.min_area_px, measures.dropped
    pixel, several = "" if size is None else f" ({length_text(1, size)})", measures.rows_are
    text = (
        f"Anything smaller than a pixel{pixel} is not visible. {several.capitalize()} below {whole(min_area_px)} px² "
        f"({length_text(np.sqrt(4 * min_area_px / np.pi), size)} in diameter) count in {measures.terms.fraction} but "
        "not in the table" + ("" if dropped is None else f" (here {whole(dropped)} of them)") + "."
    )
    if np.isfinite(measures.small_area_share):
        text += (
            f" {percent(measures.small_area_share)} of the table's {measures.terms.thing} area is in {several} below "
            f"{SHAPE_AREA_PX} px², whose shape and direction reflect the pixel grid and are excluded."
        )
    return text


def _model_part(measures: Measures) -> str:
    """How the model's own error comes into the interval."""
    error = measures.porosity.model_error
    if error is None:
        return ""
    return (
        f" On {whole(error.images)} images of {whole(error.sources)} micrographs that it was not trained on, the "
        f"model's {measures.terms.fraction} was off by {percent(error.absolute, 2)} of the area on average. The root "
        f"mean square over these micrographs ({number(error.spread)} rad, of asin √φ) and Student's t give its part; "
        "both half-widths are added as squares."
    )


def _interval(measures: Measures) -> str:
    porosity = measures.porosity
    if porosity.model_error is None:
        text = (
            f"The interval is of sampling alone: it shows how {measures.terms.its_fraction} varies over this scan, not "
            f"how wrong the network is: {porosity.why_none}. "
        )
    else:
        text = (
            f"The interval holds how {measures.terms.its_fraction} varies over this scan, and the error that the model "
            f"had on {whole(porosity.model_error.sources)} other micrographs; on other rock it may be larger. "
        )
    text += "It does not include the choice of the place on the rock."
    if porosity.drawn < FEW_FIELDS:
        text += f" Only {whole(porosity.drawn)} fields hold rock, so its ends are rough estimates."
    return text


def _thick(measures: Measures) -> str:
    """How many slices of a stack make a field."""
    if not measures.is_stack:
        return ""
    return f", {whole(measures.porosity.thickness)} slices thick, as neighbouring slices show the same rock"


def _as_thick(measures: Measures) -> str:
    return ", as thick as wide or as the stack" if measures.is_stack else ""


def _divided(measures: Measures) -> str:
    """Why not every section of a stack counts."""
    if not measures.is_stack:
        return ""
    slices = whole(measures.porosity.thickness)
    same = f"as neighbouring slices show the same {measures.terms.things}"
    return f" (divided by {slices}, the slices that a field is thick, {same})"
