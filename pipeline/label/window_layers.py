"""The layers of the window: the image, the strokes, and what a preview or a model found."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari import Viewer
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap

from pipeline.annotations.session import LabelSession
from pipeline.annotations.stroke_store import LARGEST_WHOLE, REST, StrokeStore, names_of_codes
from pipeline.images.rectangles import Window
from pipeline.label.levels import ImageLevels
from pipeline.phase_colours import RGB, phase_colours

STROKES, PREVIEW = "strokes", "preview"
#: of the rest of the rock: grey would be lost on grey
_REST_COLOUR: RGB = (255, 255, 255)
#: side of the field that can be painted on in images whose labels are kept in chunks (px)
FIELD = 2048


def colours_of(session: LabelSession) -> dict[int, RGB]:
    """A colour for each code of strokes."""
    names = list(session.meaning.values.names)
    return {REST: _REST_COLOUR, **dict(enumerate(phase_colours(names), start=REST + 1))}


def colormap_of(session: LabelSession) -> DirectLabelColormap:
    """The phases' colours, as napari takes them."""
    table: dict[int | None, Any] = {None: np.zeros(4), 0: np.zeros(4)}
    for code, colour in colours_of(session).items():
        table[code] = np.array([*(value / 255 for value in colour), 1.0])
    return DirectLabelColormap(color_dict=table)


def names_text(session: LabelSession) -> list[tuple[int, str]]:
    """Codes and names, phases first."""
    names = names_of_codes(session.meaning)
    return [(code, name) for code, name in names.items() if code != REST] + [(REST, names[REST])]


def scale_of(image: ImageLevels) -> tuple[tuple[float, float], str]:
    """Side of a pixel along rows and columns, and its unit."""
    size = image.pixel_size_nm
    return (size, "nm") if size is not None else ((1.0, 1.0), "pixel")


def field_around(store: StrokeStore, centre: tuple[float, float]) -> Window:
    """The part of an image that can be painted on: all of it, or a field around a place (row, column; px)."""
    height, width = store.shape
    if height * width <= LARGEST_WHOLE:
        return Window(0, 0, height, width)
    high, wide = min(FIELD, height), min(FIELD, width)
    top = min(max(0, round(centre[0]) - high // 2), height - high)
    left = min(max(0, round(centre[1]) - wide // 2), width - wide)
    return Window(top, left, high, wide)


def add_image(viewer: Viewer, image: ImageLevels, name: str) -> Image:
    """Show an image, in nm where its pixel size is known."""
    scale, unit = scale_of(image)
    several = len(image.levels) > 1
    data: Any = image.levels if several else image.levels[0][:, :]
    return viewer.add_image(
        data, multiscale=several, name=name, scale=scale, units=(unit, unit), contrast_limits=image.limits,
        colormap="gray",
    )  # fmt: skip


def add_strokes(viewer: Viewer, image: ImageLevels, codes: np.ndarray, field: Window, session: LabelSession) -> Labels:
    """Show what was painted in a field, to be painted on."""
    scale, unit = scale_of(image)
    layer = viewer.add_labels(
        codes, name=STROKES, scale=scale, translate=(field.top * scale[0], field.left * scale[1]), units=(unit, unit),
        colormap=colormap_of(session), opacity=0.8,
    )  # fmt: skip
    layer.brush_size = 8
    layer.mode = "paint"
    return layer


def show_preview(
    viewer: Viewer, image: ImageLevels, codes: np.ndarray, corner: tuple[int, int], session: LabelSession
) -> Labels:
    """Show classes (H, W) below the strokes, in place of earlier ones; `corner` is their row and column (px)."""
    scale, unit = scale_of(image)
    translate = (corner[0] * scale[0], corner[1] * scale[1])
    shown = np.where(codes == REST, 0, codes)  # the image itself is seen in the rest
    if PREVIEW in viewer.layers:
        layer = viewer.layers[PREVIEW]
        layer.data, layer.translate, layer.colormap = shown, translate, colormap_of(session)
        return layer
    layer = viewer.add_labels(
        shown, name=PREVIEW, scale=scale, translate=translate, units=(unit, unit), colormap=colormap_of(session),
        opacity=0.4,
    )  # fmt: skip
    layer.editable = False
    viewer.layers.move(viewer.layers.index(layer), viewer.layers.index(viewer.layers[STROKES]))
    return layer
