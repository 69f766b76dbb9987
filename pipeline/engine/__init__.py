"""The prediction engine: from an image or a scan of any size to its probability of pore, in memory or on the disk.

Comes in: a volume (`images`), the network with its text, `PredictionSettings`. Goes out: probabilities in memory
(`inferer.MicrographInferer`, for any MONAI evaluator) or a store of mask and probability with its journal
(`chunk_writer.write_chunks`). Both are `prediction.ChunkPredictor`, whose loop is MONAI's `PatchInferer` between our
own splitter and merger; docs/guide/evaluation.md says where that goes beyond MONAI's sliding window.

What changes the bytes of a segmentation belongs to the journal's request, or raises `FORMAT_VERSION`.
"""

from pipeline.engine.block_counts import BlockCounts
from pipeline.engine.journal import Journal, TakenError, request_hash
from pipeline.engine.mask_files import export_nifti, export_tiff, write_label_tiff, write_nifti
from pipeline.engine.memory_store import MemoryStore
from pipeline.engine.phase_view import phase_view
from pipeline.engine.pyramid import build_pyramid
from pipeline.engine.store import FORMAT_VERSION, ScanStore
