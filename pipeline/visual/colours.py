"""Colours that colour-blind readers can tell apart.

Okabe & Ito, "Color Universal Design" (2008). The three of the error overlay also differ in lightness (CIE L* about 46,
55 and 90; over the dark of a pore the blue comes out darker still), so that they stay apart in a grey print.
"""

from __future__ import annotations

RGB = tuple[int, int, int]

BLUE: RGB = (0, 114, 178)
VERMILLION: RGB = (213, 94, 0)
YELLOW: RGB = (240, 228, 66)
ORANGE: RGB = (230, 159, 0)

PORE = ORANGE
TRUE_POSITIVE = BLUE
FALSE_POSITIVE = VERMILLION
FALSE_NEGATIVE = YELLOW

#: What the colours of an error overlay mean.
ERROR_LEGEND: tuple[tuple[str, RGB], ...] = (
    ("true positive", TRUE_POSITIVE),
    ("false positive", FALSE_POSITIVE),
    ("false negative (missed)", FALSE_NEGATIVE),
)
