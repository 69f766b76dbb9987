"""GeoJSON as QuPath exports it: features with a classification."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.annotations.drawn import UNNAMED, Annotation, Area, Drawing, Line, separate_points


def features_of(content: Any) -> list[Any] | None:
    """The features of GeoJSON; None where JSON is none."""
    if isinstance(content, dict):
        if content.get("type") == "FeatureCollection":
            return list(content["features"])
        return [content] if content.get("type") == "Feature" else None
    is_list = isinstance(content, list) and content and all(isinstance(one, dict) for one in content)
    return content if is_list and all(one.get("type") == "Feature" for one in content) else None


def is_compressed(path: Path) -> bool:
    """Whether a zip file is GeoJSON that QuPath compressed."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.endswith(".geojson") for name in archive.namelist()] == [True]
    except (zipfile.BadZipFile, OSError):
        return False


def read_compressed(path: Path) -> list[Annotation]:
    """The annotations of GeoJSON that QuPath compressed (Export objects as GeoJSON, Compress data).

    Raises:
        Exception: it is damaged, or holds something else.
    """
    with zipfile.ZipFile(path) as archive:
        content = json.loads(archive.read(archive.namelist()[0]))
    features = features_of(content)
    if features is None:
        raise ValueError("it holds JSON, and no features")
    return read_qupath(path, features)


def read_qupath(path: Path, features: list[Any]) -> list[Annotation]:
    """The annotations of one image.

    Raises:
        KeyError, ValueError, TypeError: it is not as QuPath writes it.
    """
    drawings = [drawing for feature in features for drawing in _drawings(feature["geometry"], _name(feature))]
    return [Annotation(path, drawings=drawings)]


def _name(feature: dict[str, Any]) -> str:
    properties = feature.get("properties") or {}
    classification = properties.get("classification") or {}
    return str(classification.get("name") or classification.get("names", [UNNAMED])[0] or UNNAMED)


def _drawings(geometry: dict[str, Any], name: str) -> Iterator[Drawing]:
    if (geometry.get("plane") or {}).get("z"):
        raise ValueError(f"it belongs to slice {geometry['plane']['z']}: images of a data set are single slices")
    kind, coordinates = geometry["type"], geometry.get("coordinates", [])
    if kind == "GeometryCollection":
        for one in geometry["geometries"]:
            yield from _drawings(one, name)
    elif kind in ("Polygon", "MultiPolygon"):
        for rings in [coordinates] if kind == "Polygon" else coordinates:
            yield Area(name, [_points(ring) for ring in rings])
    elif kind in ("LineString", "MultiLineString"):
        for line in [coordinates] if kind == "LineString" else coordinates:
            yield Line(name, _points(line))
    elif kind in ("Point", "MultiPoint"):
        yield from separate_points(name, _points([coordinates] if kind == "Point" else coordinates))
    else:
        raise ValueError(f"geometries of type {kind} are not known")


def _points(coordinates: list[list[float]]) -> np.ndarray:
    return np.array([point[:2] for point in coordinates], float).reshape(-1, 2)
