"""What one place in a file says about how the image was taken."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from pipeline.images.microscope.quantities import length_nm, magnification, plain_text, quantity, volts

#: pixel sizes that a microscope can have (nm); others are taken for damage
SMALLEST_NM, LARGEST_NM = 0.01, 100_000.0
#: widths of the pictures that magnifications refer to (m): Polaroids are 0.1, screens 0.3 to 0.6
_NARROWEST_PICTURE, _WIDEST_PICTURE = 0.005, 5.0
#: sizes that differ by less are the same but for rounding
TOLERANCE = 0.01


@dataclass
class Finding:
    """What one place in a file says; an adapter fills it in, value by value.

    Each of the `take_` methods leaves out what can't be read. What bears on the scale goes into `warnings`.

    Attributes:
        source: the place, in words.
        pixel_size_nm: pixel height and width (nm); what follows is that of `Acquisition`.
        field_width_nm: width of the field of view (nm), where it is stated.
        warnings: one line each.
    """

    source: str
    pixel_size_nm: tuple[float, float] | None = None
    magnification: float | None = None
    detector: str | None = None
    voltage_kv: float | None = None
    working_distance_mm: float | None = None
    date: str | None = None
    instrument: str | None = None
    bar_height: int | None = None
    slice_spacing_nm: float | None = None
    field_width_nm: float | None = None
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Add a warning; the source is put in front, and what doesn't print is left out."""
        self.warnings.append(f"{self.source}: {plain_text(text, 300)}")

    def take_pixel_size(self, height: Any, width: Any, unit: str | None = None) -> None:
        """Take a pixel height and width.

        Args:
            height: a number or text, with its unit or without.
            width: the same; where one of the two is missing (None or empty), pixels are taken as square.
            unit: of values that name none.
        """
        given = [value for value in (height, width) if value not in (None, "", (), [])]
        if not given:
            return
        if len(given) == 1:
            self.warn("it gives the pixel size along one axis only; pixels are assumed to be square")
        sizes = []
        for value in (given[0], given[-1]):
            size = length_nm(value, unit)
            said = plain_text(value, 40)
            if size is None:
                self.warn(f"its pixel size ({said}) is not a length with a known unit, and is ignored")
                return
            # a unit of the value itself is part of what it says
            if not SMALLEST_NM <= size <= LARGEST_NM:
                self.warn(
                    f"its pixel size ({size:.4g} nm) is outside {SMALLEST_NM:g} nm to {LARGEST_NM / 1e3:g} um, "
                    "and is ignored"
                )
                return
            sizes.append(size)
        self.pixel_size_nm = (sizes[0], sizes[1])
        if not same(sizes[0], sizes[1]):
            self.warn(f"its pixels are not square ({sizes[1]:.5g} nm wide, {sizes[0]:.5g} nm high)")

    def take_slice_spacing(self, distance: Any, unit: str | None = None) -> None:
        """Take the distance of slices; 0 and what has no unit is no distance.

        Args:
            distance: a number or text, with its unit or without; None where there is none.
            unit: of a distance that names none.
        """
        size = length_nm(distance, unit)
        if not size:
            return
        if SMALLEST_NM <= size <= LARGEST_NM:
            self.slice_spacing_nm = size
        else:
            self.warn(
                f"its slice spacing ({size:.4g} nm) is outside {SMALLEST_NM:g} nm to {LARGEST_NM / 1e3:g} um, "
                "and is ignored"
            )

    def take_field_as_size(self, width: Any, pixels: int, unit: str | None = None) -> None:
        """Take the pixel size from the width of the field of view, over `pixels` pixels, where that is a length."""
        field_nm = length_nm(width, unit)
        if field_nm is not None and pixels > 0:
            self.take_pixel_size(field_nm / pixels, field_nm / pixels, "nm")
            self.field_width_nm = field_nm

    def take_field_width(self, width: Any, pixels: int, unit: str | None = None) -> None:
        """Compare the pixel size with the width of the field of view, over `pixels` pixels.

        An image that was scaled or cropped by another program keeps the metadata of the original.
        """
        field_nm = length_nm(width, unit)
        if field_nm is None or field_nm <= 0:
            return
        self.field_width_nm = field_nm
        if pixels < 1 or self.pixel_size_nm is None:
            return
        if not same(field_nm / pixels, self.pixel_size_nm[1]):
            self.warn(
                f"its pixel size ({self.pixel_size_nm[1]:.5g} nm) does not fit its field of view ({field_nm / 1e3:.5g} "
                f"um over {pixels} pixels); was the image scaled or cropped? Check the scale"
            )

    def take_image_width(self, width: Any, pixels: int) -> bool:
        """Compare the width that was recorded with the image's (px); False where they differ."""
        found = quantity(width)
        if found is None or found[0] < 1 or int(found[0]) == pixels:
            return True
        if self.pixel_size_nm is not None:
            self.warn(
                f"it was recorded {int(found[0])} pixels wide, but the image is {pixels} wide; it was scaled or "
                f"cropped, so the pixel size ({self.pixel_size_nm[1]:.5g} nm) may be wrong"
            )
        return False

    def take_recorded_size(self, rows: Any, columns: Any, shape: tuple[int, int] | None) -> None:
        """Compare the size that was recorded with the image's: rows below those of the scan are an info bar.

        Equal heights say nothing, as the bar may be written over the scan's last rows.

        Args:
            rows: height that was recorded (px), a number or text; None or empty: not stated.
            columns: width (px), the same.
            shape: height and width of the image (px), if known.
        """
        if shape is None:
            return
        height = quantity(rows)
        if self.take_image_width(columns, shape[1]) and height is not None and 0 < height[0] < shape[0]:
            self.take_bar_height(shape[0] - height[0], shape[0])

    def warn_if_without_size(self, hint: str = "") -> None:
        """Warn that there is no pixel size, unless a warning says why; `hint` follows."""
        if self.pixel_size_nm is None and not self.warnings:
            self.warn(f"it has no pixel size{hint}")

    def take_bar_height(self, rows: Any, image_height: int) -> None:
        """Take the height of the info bar (px), where it leaves an image."""
        found = quantity(rows)
        if found is None:
            return
        if not 0 <= found[0] <= image_height / 2 or found[0] != int(found[0]):
            self.warn(f"its info bar height ({found[0]:.6g}) does not fit an image of {image_height} rows")
            return
        self.bar_height = int(found[0])

    def take_conditions(
        self,
        *,
        magnification_: Any = None,
        voltage: Any = None,
        voltage_unit: float = 1.0,
        working_distance: Any = None,
        working_distance_unit: str = "m",
        detector: Any = None,
        date: Any = None,
        instrument: Any = None,
    ) -> None:
        """Take the conditions of the recording; what can't be read is left out.

        So is a magnification that does not fit the width of the field of view, with a warning: the two give the width
        of the picture that it refers to.

        Args:
            magnification_: a number or text.
            voltage, voltage_unit: a number or text, and the volts in its unit where it names none.
            working_distance, working_distance_unit: a number or text, and its unit where it names none.
            detector, date, instrument: text.
        """
        times = magnification(magnification_)
        self.magnification = times if times is not None and 0 < times < 1e8 else None
        if self.magnification is not None and self.field_width_nm is not None:
            picture = self.magnification * self.field_width_nm / 1e9
            if not _NARROWEST_PICTURE <= picture <= _WIDEST_PICTURE:
                self.warn(
                    f"its magnification ({self.magnification:g}) does not fit its field of view "
                    f"({self.field_width_nm / 1e3:.5g} um wide), and is left out"
                )
                self.magnification = None
        high, bare = volts(voltage), quantity(voltage)
        if high is not None:
            kilovolts = high / 1e3 * (voltage_unit if bare is not None and not bare[1] else 1.0)
            self.voltage_kv = kilovolts if 0 < kilovolts <= 1000 else None
        distance = length_nm(working_distance, working_distance_unit)
        if distance is not None and 0 < distance < 1e9:
            self.working_distance_mm = distance / 1e6
        self.detector, self.date, self.instrument = plain_text(detector), plain_text(date), plain_text(instrument)


def same(one: float, other: float) -> bool:
    """Whether two sizes are the same but for rounding."""
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))


def mean_side(pixel_size_nm: tuple[float, float]) -> float:
    """Side (nm) of the square that is as large as a pixel, from its height and width (nm)."""
    return math.sqrt(pixel_size_nm[0] * pixel_size_nm[1])


def square_side(pixel_size_nm: tuple[float, float] | None) -> float | None:
    """Side of a square pixel (nm), from its height and width (nm), for perimeters, hulls and other shapes.

    Returns:
        None where they are not known, or differ by more than rounding, 1 %.
    """
    return None if pixel_size_nm is None or not same(*pixel_size_nm) else mean_side(pixel_size_nm)
