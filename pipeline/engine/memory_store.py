"""A segmentation in memory, for programs: what a scan's store holds, byte for byte, without a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.engine.store import ScanStore
from pipeline.phases import PORE
from pipeline.tiling.chunk_plan import ChunkPlan


class MemoryStore(ScanStore):
    """A `ScanStore` whose chunks, compressed as in its files, are in memory.

    Args:
        plan: the chunks.
        phases: names of those that were asked for.
    """

    def __init__(self, plan: ChunkPlan, phases: Sequence[str] = (PORE,)) -> None:
        super().__init__(Path("in memory"), plan, phases)
        self._chunks: dict[Path, bytes] = {}

    def _put(self, file: Path, data: bytes) -> None:
        self._chunks[file] = data

    def _get(self, file: Path) -> bytes:
        return self._chunks[file]

    def _is_there(self, file: Path) -> bool:
        return file in self._chunks
