from __future__ import annotations

import io
import logging
import sys
import warnings

import pytest
from tqdm import tqdm

from pipeline.cli.console import own_messages, run_command
from pipeline.errors import UserError


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


@pytest.mark.parametrize("ended_by", [UserError("scan.tif: it is damaged"), KeyboardInterrupt()])
def test_the_end_of_a_command_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch, ended_by: BaseException) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    bars = []

    def command() -> int:
        bars.append(tqdm(total=2, file=stream))
        bars[0].update()
        raise ended_by

    run_command(command)
    assert stream.getvalue().splitlines()[-1] in ("error: scan.tif: it is damaged", "interrupted")


def test_a_message_does_not_tear_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with own_messages(), tqdm(total=2, file=stream) as bar:
        bar.update()
        logging.getLogger("vlsenet").info("in between")
    assert "\rin between\n" in stream.getvalue()  # the bar's line is cleared first, and drawn again below
