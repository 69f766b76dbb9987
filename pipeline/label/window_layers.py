"""The layers of the window: the image, the strokes, and what a preview or a model found."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari import Viewer
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap

from pipeline.annotations.session import LabelSession
from pipeline.annotations.stroke_store import REST, names_of_codes
from pipeline.images.rectangles import Part, Window
from pipeline.label.levels import ImageLevels
from pipeline.phase_colours import RGB, phase_colours

STROKES, PREVIEW, MASK, UNCERTAINTY = "strokes", "preview", "the model's mask", "uncertainty"
#: of the rest of the rock: grey would be lost on grey
_REST_COLOUR: RGB = (255, 255, 255)


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


def show_classes(
    viewer: Viewer, image: ImageLevels, codes: np.ndarray, part: Part, session: LabelSession, name: str
) -> None:
    """Show classes (H, W) of a part of the image below the strokes, in place of earlier ones.

    Args:
        viewer: whose layer is made, or renamed.
        image: that is shown.
        codes: (H, W), as strokes have them.
        part: of the image.
        session: the phases.
        name: of the layer: `PREVIEW` or `MASK`.
    """
    shown = np.where(codes == REST, 0, codes)  # the image itself is seen in the rest
    layer = next((one for one in viewer.layers if one.name in (PREVIEW, MASK)), None)
    if layer is not None:
        layer.data, layer.translate, layer.colormap = shown, _corner(image, part), colormap_of(session)
        layer.name = name
        return
    layer = viewer.add_labels(shown, name=name, colormap=colormap_of(session), opacity=0.4, **_place(image, part))
    layer.editable = False
    _below_strokes(viewer, layer)


def show_uncertainty(viewer: Viewer, image: ImageLevels, values: np.ndarray, part: Part) -> None:
    """Keep how unsure a model is, 0 to 1 (H, W), in a layer that is seen when its eye is clicked."""
    if UNCERTAINTY in viewer.layers:
        layer = viewer.layers[UNCERTAINTY]
        layer.data, layer.translate = values, _corner(image, part)
        return
    layer = viewer.add_image(
        values, name=UNCERTAINTY, colormap="inferno", contrast_limits=(0, 1), opacity=0.6, visible=False,
        **_place(image, part),
    )  # fmt: skip
    _below_strokes(viewer, layer)


def _corner(image: ImageLevels, part: Part) -> tuple[float, float]:
    (down, across), _ = scale_of(image)
    return part.y * down, part.x * across


def _place(image: ImageLevels, part: Part) -> dict[str, Any]:
    scale, unit = scale_of(image)
    return {"scale": scale, "translate": _corner(image, part), "units": (unit, unit)}


def _below_strokes(viewer: Viewer, layer: Layer) -> None:
    if STROKES in viewer.layers:
        viewer.layers.move(viewer.layers.index(layer), viewer.layers.index(viewer.layers[STROKES]))
