"""Prompts: the one-line description of an image."""

from __future__ import annotations

import logging
from pathlib import Path

from pipeline.errors import UserError

logger = logging.getLogger(__name__)

#: What is said of an image that has no text of its own (one of the published generic prompts).
DEFAULT_PROMPT = "pore"


def clean_prompt(text: str) -> str:
    """Bring a prompt into one line: runs of white space, line ends and control characters become one space."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())


def read_prompt(path: str | Path) -> str:
    """Read the prompt of one image from its text file (`text/<image stem>.txt`).

    Args:
        path: a UTF-8 text file, with or without byte-order mark. Several lines are joined.

    Returns:
        The prompt in one line; `DEFAULT_PROMPT` where the file is missing or, with a warning, empty.

    Raises:
        UserError: the file can't be read, or is not UTF-8.
    """
    path = Path(path)
    if not path.exists():
        return DEFAULT_PROMPT
    try:
        prompt = clean_prompt(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a UTF-8 text file (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); a prompt is a plain text file") from error
    if not prompt:
        logger.warning("%s is empty: the prompt %r is used instead", path, DEFAULT_PROMPT)
        return DEFAULT_PROMPT
    return prompt
