"""Whole scans: one scan, stack or folder, from the file to the results that lie in its output folder."""

from pipeline.workflows.scan.asked import chosen_phases
from pipeline.workflows.scan.command import ScanCommand
from pipeline.workflows.scan.request import ScanSettings
from pipeline.workflows.scan.segmentation import ScanSegmentation
