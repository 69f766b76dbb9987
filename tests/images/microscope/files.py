"""Files as microscopes write them, made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

IMAGE = np.random.default_rng(0).integers(0, 255, (96, 128), np.uint8)

FEI = """[User]\r\nDate=12/14/2022\r\nTime=01:53:39 PM\r\n[System]\r\nSystemType=Helios\r\n[Beam]\r\nBeam=EBeam
Scan=EScan\r\n[EBeam]\r\nHV=5000\r\nWD=0.0041\r\n[Scan]\r\nPixelWidth={width}\r\nPixelHeight={height}
HorFieldsize={field}\r\n[Image]\r\nResolutionX={columns}\r\nResolutionY={rows}\r\n[Detectors]\r\nName=TLD\r\n
[PrivateFei]\r\nDatabarHeight={bar}\r\n"""

TESCAN = """[MAIN]\r\nDevice=MIRA3 LMH\r\nDate=2020-01-02\r\nTime=10:11:12\r\nMagnification=2000\r\nPixelSizeX={size}
PixelSizeY={size}\r\nImageStripSize={strip}\r\n[SEM]\r\nHV=15000.0\r\nWD=0.00912\r\nDetector=BSE\r\n"""

HITACHI = """[SemImageFile]\r\nInstructName=SU8000\r\nDate=02/03/2021\r\nTime=10:11:12\r\nSignalName=SE(U)
AcceleratingVoltage=5000 Volt\r\nMagnification=10000\r\nWorkingDistance=8300 um\r\nPixelSize={size}
DataSize={columns}x96\r\n"""

JEOL = """$CM_FORMAT JEOL-SEM\r\n$CM_INSTRUMENT JSM-7600F\r\n$CM_DATE 3/4/2020\r\n$CM_ACCEL_VOLT 5.00\r\n$CM_MAG 10000
$CM_SIGNAL LEI\r\n$$SM_WD 8.1\r\n$$SM_MICRON_BAR {bar}\r\n$$SM_MICRON_MARKER {marker}\r\n$CM_FULL_SIZE {full}\r\n"""

OME = """<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image
ID="Image:0"><Pixels BigEndian="false" DimensionOrder="XYCZT" ID="Pixels:0" SizeC="1" SizeT="1" SizeX="128" SizeY="96"
SizeZ="1" Type="uint8" {sizes}><TiffData/></Pixels></Image></OME>"""


def fei(
    width: Any = 4e-9, height: Any = None, field: Any = "", columns: Any = 128, rows: Any = 90, bar: Any = ""
) -> str:
    """Thermo Fisher's tag for `IMAGE`, whose lowest 6 rows are bar."""
    height = width if height is None else height
    return FEI.format(width=width, height=height, field=field, columns=columns, rows=rows, bar=bar)


def zeiss(size: str = "4.000 nm", more: str = "") -> str:
    """ZEISS's tag."""
    return (
        "0\r\n0\r\n0\r\n4e-09\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = " + size + "\r\nAP_MAG\r\nMag = 2.00 K X\r\n"
        "AP_WD\r\nWD = 7.7 mm\r\nAP_ACTUALKV\r\nEHT = 8.00 kV\r\nDP_DETECTOR_CHANNEL\r\nSignal A = SE2\r\n"
        "SV_SERIAL_NUMBER\r\nSerial No. = Merlin-1\r\nAP_DATE\r\nDate :10 Aug 2018\r\nAP_TIME\r\nTime :11:41:13\r\n"
        + more
    )


def write(path: Path, tags: dict[int, str | bytes] | None = None, **options: Any) -> Path:
    """Write `IMAGE` as a TIFF with tags of these codes."""
    extra = []
    for code, value in (tags or {}).items():
        data = value if isinstance(value, bytes) else value.encode("cp1252", "replace")
        extra.append(
            (code, 7 if isinstance(value, bytes) else 2, len(data) + (not isinstance(value, bytes)), data, True)
        )
    options.setdefault("metadata", None)
    tifffile.imwrite(path, IMAGE, extratags=extra, **options)
    return path
