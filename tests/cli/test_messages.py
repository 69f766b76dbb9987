from __future__ import annotations

import io
import logging
import sys
import warnings

import pytest
from tqdm import tqdm

from pipeline.cli.console import own_messages


def test_the_terminal_shows_the_package_and_warnings_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("vlsenet")
    before = logger.level, logger.propagate, logger.disabled, list(logger.handlers), list(logging.getLogger().handlers)
    with own_messages():
        logger.info("scan.tif: 5 x 5 pixels")
        logger.warning("odd")
        logger.debug("unseen")
        logging.getLogger("library").info("unseen")
        logging.getLogger("library").warning("down")
        if not sys.warnoptions:
            warnings.warn("unseen", stacklevel=1)
    assert capsys.readouterr().err == "scan.tif: 5 x 5 pixels\nwarning: odd\nwarning: down\n"
    now = logger.level, logger.propagate, logger.disabled, list(logger.handlers), list(logging.getLogger().handlers)
    assert now == before


def test_a_message_does_not_tear_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with own_messages(), tqdm(total=2, file=stream) as bar:
        bar.update()
        logging.getLogger("vlsenet").info("in between")
    assert "\rin between\n" in stream.getvalue()  # the bar's line is cleared first, and drawn again below
