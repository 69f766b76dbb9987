"""The report of a segmented scan: one HTML file, its figures, and the overview.

A finished segmentation (the store with its pyramid, counts of blocks, pore tables and manifest) enters; `report.html`
and PNG files leave. `measures.py` holds the numbers; `key_figures.py`, `method.py`, `tables.py`, `plots.py` and
`pictures.py` turn them into what is read and seen; `scan_report.py` puts all of it into the page.
"""

from pipeline.report.measures import Measures
from pipeline.report.plots import PLOTS
from pipeline.report.scan_report import Report, begin_pictures, report_of_scan, write_figures, write_report
