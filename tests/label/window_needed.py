"""Where there is no Qt or no display, tests of the window are skipped, with a reason."""

from __future__ import annotations

import os
import sys

import pytest


def skip_without_window() -> None:
    """Skip the module that calls this, before it imports what needs a window."""
    for module in ("napari", "qtpy", "pytestqt", "sklearn"):
        pytest.importorskip(module, reason=f"needs {module}, of the extra label_tests")
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        pytest.skip("needs a display, such as that of xvfb-run", allow_module_level=True)
