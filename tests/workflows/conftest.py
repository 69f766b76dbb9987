from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _drawn_on_demand(request: pytest.FixtureRequest) -> None:
    """Figures are drawn for the tests alone that say so by `drawn`; `tests/report` looks at them closely."""
    if "drawn" not in request.fixturenames:
        request.getfixturevalue("undrawn")
