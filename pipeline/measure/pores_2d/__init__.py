"""The pore table: every pore of every slice of a segmented scan, measured out of core.

`strips.py` cuts the mask into strips of rows, `pieces.py` follows the pores from strip to strip, `moments.py` and
`hulls.py` measure them, and `pore_table.py` defines and writes the columns. A slice of any size is
measured with a strip of it and its unfinished pores in memory: of those only whole-number sums and the vertices of
their hulls are kept, so that one pore that spans the scan costs no more than any other. scikit-image has the same
quantities for a labelled image in memory; the tests compare every column with it.
"""

from pipeline.measure.pores_2d.pore_table import (
    CSV,
    MIN_AREA_PX,
    PARQUET,
    PoreSummary,
    measured_pores,
    write_pore_table,
)
from pipeline.measure.pores_2d.strips import StoredSegmentation
