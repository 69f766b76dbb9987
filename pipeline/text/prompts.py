"""Prompts: the one-line description of an image."""

from __future__ import annotations

#: Stands between the phrases of an ensemble: `pore | rock pore | microscopic pore`.
SEPARATOR = "|"

#: What is said of an image that has no text of its own (one of the published generic prompts).
DEFAULT_PROMPT = "pore"

#: Says nothing: how much a model needs its text is seen by taking it away.
EMPTY_PROMPT = ""


def clean_prompt(text: str) -> str:
    """Bring a prompt into one line: runs of white space, line ends and control characters become one space."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())


def normal_form(prompt: str) -> str:
    """The form under which a prompt is stored: an ensemble's phrases, however they are spaced, with ` | ` between."""
    if SEPARATOR not in prompt:
        return prompt
    phrases = filter(None, map(clean_prompt, prompt.split(SEPARATOR)))
    return f" {SEPARATOR} ".join(phrases) or prompt
