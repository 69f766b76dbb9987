"""Threads for work beside the network: reading, writing, the first look, coarser levels."""

from __future__ import annotations

#: Of each kind. Decoders, encoders and NumPy let other threads run, and each thread more holds another chunk.
THREADS = 2
