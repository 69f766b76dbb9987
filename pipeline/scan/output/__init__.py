"""What a segmentation of a scan writes: chunks, journal, pyramid, exports."""

from __future__ import annotations

from pipeline.scan.output.export import export_nifti, export_tiff
from pipeline.scan.output.journal import Journal, request_differences, request_hash
from pipeline.scan.output.nifti import write_nifti
from pipeline.scan.output.plan import ChunkPlan
from pipeline.scan.output.pyramid import build_pyramid
from pipeline.scan.output.store import CHANNELS, FORMAT_VERSION, BlockCounts, ScanStore

__all__ = [
    "CHANNELS",
    "FORMAT_VERSION",
    "BlockCounts",
    "ChunkPlan",
    "Journal",
    "ScanStore",
    "build_pyramid",
    "export_nifti",
    "export_tiff",
    "request_differences",
    "request_hash",
    "write_nifti",
]
