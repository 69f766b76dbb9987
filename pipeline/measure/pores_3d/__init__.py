"""The 3-D pores of a segmented stack: table, labelled volume, connected fractions, and a figure.

`labelling.py` finds the pores slice by slice, with the runs of two slices and a record of each pore in memory; which
pore a run belongs to may be known a thousand slices later only, so the runs' numbers wait on disk and are followed from
the last slice back. Slices are not registered, which would change the image; a shift causes a warning.
`pore_table_3d.py` and `connectivity.py` take their numbers from the records, and `stack_summary.py` does all of it.
"""

from pipeline.measure.pores_3d.labelling import LABELS
from pipeline.measure.pores_3d.pore_table_3d import VOLUME_CSV, VOLUME_PARQUET
from pipeline.measure.pores_3d.stack_summary import VOLUME_FILES, StackSummary, measure_stack
