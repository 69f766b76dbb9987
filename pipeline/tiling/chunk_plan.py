"""The scan divided into output chunks, each with exactly one writer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from math import ceil

from pipeline.errors import UserError
from pipeline.images.rectangles import Chunk, Roi

#: what every chunk is a multiple of: the grid of the network's poolings, and of TIFF's tiles
CHUNK_MULTIPLE = 16


@dataclass(frozen=True)
class ChunkPlan:
    """How the output is cut into chunks, and counted in blocks.

    Chunks are numbered slice by slice, in a slice row by row, and in a row from left to right: the order in which
    striped and tiled files are read best. The first chunk of a slice starts at the corner of the region of interest;
    the last of a row or column may be smaller.

    Attributes:
        height: of the scan, pixels.
        width: of the scan, pixels.
        depth: number of slices; 1 for an image.
        chunk: side of a chunk, pixels, a multiple of 16.
        block: side of the squares in which pore and rock pixels are counted, pixels; it divides `chunk`.
        roi: region of interest in every slice; None for the whole slice.

    Raises:
        UserError: an empty scan, a region that leaves the scan, a chunk or block of an impossible side.
    """

    height: int
    width: int
    depth: int = 1
    chunk: int = 1024
    block: int = 256
    roi: Roi | None = None

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.depth) < 1:
            raise UserError(f"a scan of {self.width} x {self.height} x {self.depth} pixels is empty")
        if self.chunk < CHUNK_MULTIPLE or self.chunk % CHUNK_MULTIPLE:
            raise UserError(f"chunk {self.chunk}: give a multiple of {CHUNK_MULTIPLE} pixels")
        if self.block < 1 or self.chunk % self.block:
            raise UserError(f"block {self.block}: give a divisor of the chunk's side, {self.chunk} pixels")
        x, y, width, height = region = self.region
        if min(x, y) < 0 or min(width, height) < 1 or x + width > self.width or y + height > self.height:
            raise UserError(
                f"roi {region} (x, y, width, height) extends beyond the scan of {self.width} x {self.height} pixels"
            )

    @property
    def region(self) -> Roi:
        """The part of each slice that is written, in pixels of the scan."""
        return self.roi or Roi(0, 0, self.width, self.height)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns of the output, pixels."""
        return self.depth, self.region.height, self.region.width

    @property
    def grid(self) -> tuple[int, int, int]:
        """Number of chunks along slices, rows and columns."""
        depth, height, width = self.shape
        return depth, ceil(height / self.chunk), ceil(width / self.chunk)

    def __len__(self) -> int:
        depth, rows, columns = self.grid
        return depth * rows * columns

    def __getitem__(self, index: int) -> Chunk:
        if not 0 <= index < len(self):
            raise IndexError(f"chunk {index} of {len(self)}")
        _, rows, columns = self.grid
        _, height, width = self.shape
        rest, column = divmod(index, columns)
        slice_, row = divmod(rest, rows)
        y, x = row * self.chunk, column * self.chunk
        return Chunk(slice_, y, x, min(self.chunk, height - y), min(self.chunk, width - x), index, row, column)

    @property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of all that decides which pixel lies in which chunk."""
        fields = {**asdict(self), "roi": self.region}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
