from __future__ import annotations

import pytest

from tests.paths import ROOT

FOLDER = ROOT / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are scripts, and find what they share beside them."""
    monkeypatch.syspath_prepend(str(FOLDER))
