"""From a scan and a network to its segmentation on disk, chunk by chunk."""

from pipeline.engine.journal import Journal, request_differences, request_hash
from pipeline.engine.mask_files import export_nifti, export_tiff, write_nifti
from pipeline.engine.pyramid import build_pyramid
from pipeline.engine.store import FORMAT_VERSION, BlockCounts, ScanStore
