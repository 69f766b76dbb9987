"""Where the tests find the project's files and the data beside it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "bundle" / "configs"
#: real images, beside the project; tests that need them skip where the folder is missing
SHARED = ROOT.parent / "shared" / "data"
