"""From a scan and a network to its segmentation on disk, chunk by chunk."""

from __future__ import annotations

from pipeline.engine.journal import Journal, request_differences, request_hash
from pipeline.engine.mask_files import export_nifti, export_tiff, write_nifti
from pipeline.engine.pyramid import build_pyramid
from pipeline.engine.store import CHANNELS, FORMAT_VERSION, BlockCounts, ScanStore
from pipeline.tiling.chunk_plan import ChunkPlan

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
