"""Whole scans: one scan, stack or folder, from the file to the results that lie in its output folder."""

from pipeline.workflows.scan.command import ScanCommand
from pipeline.workflows.scan.segmentation import ScanSegmentation
from pipeline.workflows.scan.settings import ScanSettings

__all__ = ["ScanCommand", "ScanSegmentation", "ScanSettings"]
