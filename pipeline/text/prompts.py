"""Prompts: the one-line description of an image."""

from __future__ import annotations

#: What is said of an image that has no text of its own (one of the published generic prompts).
DEFAULT_PROMPT = "pore"

#: Says nothing: how much a model needs its text is seen by taking it away.
EMPTY_PROMPT = ""


def clean_prompt(text: str) -> str:
    """Bring a prompt into one line: runs of white space, line ends and control characters become one space."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())
