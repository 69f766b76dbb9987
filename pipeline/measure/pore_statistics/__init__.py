"""Statistics of the pores of a segmented scan, each with its reference.

`mask_survey.py` reads the mask once and counts two-point correlation (`two_point.py`) and chords (`chords.py`);
`size_distribution.py`, `border_correction.py` and `orientation.py` take columns of the pore table,
`representative_area.py` counts of cells.
PoreSpy has correlation and chords too, but brings 26 packages and takes arrays in memory; counted chunk by chunk they
are exact and short, as one lag is an AND and a count.
"""

from pipeline.measure.pore_statistics.border_correction import border_weights
from pipeline.measure.pore_statistics.chords import Chords
from pipeline.measure.pore_statistics.mask_survey import Survey, survey
from pipeline.measure.pore_statistics.orientation import OrientationRose, orientation_rose
from pipeline.measure.pore_statistics.representative_area import RepresentativeArea, representative_area
from pipeline.measure.pore_statistics.size_distribution import SizeDistribution, size_distribution, weighted_quantiles
from pipeline.measure.pore_statistics.two_point import TwoPoint
