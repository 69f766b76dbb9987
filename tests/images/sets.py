"""OME-TIFFs whose OME-XML lists planes that are elsewhere, or nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile

_XML = """<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" {uuid}>
{images}</OME>"""
_IMAGE = """<Image ID="Image:{number}"><Pixels ID="Pixels:{number}" DimensionOrder="XYZCT" Type="uint8" SizeX="{width}"
SizeY="{height}" SizeZ="{z}" SizeC="{c}" SizeT="{t}" PhysicalSizeX="{nm}" PhysicalSizeXUnit="nm" PhysicalSizeY="{nm}"
PhysicalSizeYUnit="nm"><Channel ID="Channel:{number}:0" SamplesPerPixel="1"/>{planes}</Pixels></Image>"""


def ome_image(
    planes: str, shape: tuple[int, int], *, z: int = 1, c: int = 1, t: int = 1, number: int = 0, nm: float = 10
) -> str:
    """OME's element of one image."""
    return _IMAGE.format(number=number, planes=planes, height=shape[0], width=shape[1], z=z, c=c, t=t, nm=nm)


def plane(ifd: int, *, z: int = 0, c: int = 0, file: str | None = None, uuid: str | None = None) -> str:
    """Where a plane lies: in a page of this file, or of the one that is named."""
    inside = "" if file is None else f'<UUID FileName="{file}">{uuid or file}</UUID>'
    return f'<TiffData IFD="{ifd}" FirstZ="{z}" FirstC="{c}" PlaneCount="1">{inside}</TiffData>'


def write_ome(path: Path, images: str, pages: Sequence[np.ndarray], *, uuid: str | None = None, **options: str) -> Path:
    """Write pages below an OME-XML of these images, whether they fit or not."""
    xml = _XML.format(uuid="" if uuid is None else f'UUID="{uuid}"', images=images)
    with tifffile.TiffWriter(path, ome=False) as writer:
        for number, page in enumerate(pages):
            description = xml if number == 0 else None
            writer.write(page, description=description, metadata=None, photometric="minisblack", **options)
    return path


def write_set(folder: Path, slices: np.ndarray, **options: str) -> list[Path]:
    """One file for each slice, each of which lists them all."""
    names = [f"s{number}.ome.tif" for number in range(len(slices))]
    planes = "".join(plane(0, z=z, file=name) for z, name in enumerate(names))
    images = ome_image(planes, slices.shape[1:], z=len(slices))
    return [
        write_ome(folder / name, images, [one], uuid=name, **options) for name, one in zip(names, slices, strict=True)
    ]
