"""The dock as a plugin of napari, whose window is there before our libraries are."""

from __future__ import annotations

from napari import Viewer

from pipeline.label.triton_apart import load_triton_apart

load_triton_apart()

from pipeline.label.dock import LabelDock  # noqa: E402 - it loads PyTorch


class PluginDock(LabelDock):
    """The dock in a window that napari opened; it asks for a folder or a scan.

    Args:
        napari_viewer: the window; napari gives a proxy of it that hides private names, which layers need.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(getattr(napari_viewer, "__wrapped__", napari_viewer))
