from __future__ import annotations

import logging

import pytest


@pytest.fixture(autouse=True)
def _logs_reach_pytest():
    """The bundle's logging.conf, applied by tests that run it, keeps the package's log from pytest's caplog."""
    logger = logging.getLogger("vlsenet")
    logger.propagate, logger.disabled = True, False
