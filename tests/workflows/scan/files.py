"""What several tests of whole scans share."""

from __future__ import annotations

from pathlib import Path


def files(folder: Path) -> dict[str, bytes]:
    """All bytes of the store."""
    store = folder / "segmentation.ome.zarr"
    content = {str(file.relative_to(store)): file.read_bytes() for file in store.rglob("*") if file.is_file()}
    return {name: data for name, data in content.items() if not name.endswith(".zattrs")}  # it holds the run's own mark
