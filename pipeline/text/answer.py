"""The sentence in a language model's answer, and why it may be none."""

from __future__ import annotations

import re

from pipeline.text.prompts import SEPARATOR, clean_prompt

#: Words and letters of an answer; CLIP's 77 tokens mostly hold them, at some 1.3 a word, and it cuts what is longer.
MOST_WORDS, MOST_LETTERS = 55, 400

#: Thoughts end here; servers often keep the opening tag for themselves.
_END_OF_THOUGHTS = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_FENCE = re.compile(r"^```\w*\s|```$")
_TITLE = re.compile(r"^#+ .*$", re.MULTILINE)
#: Bold and italic type, code, quotations; an underscore or an asterisk within a word is none.
_MARKDOWN = re.compile(r"(?<!\w)[*_`>]+|[*_`]+(?!\w)")
_TALK = r"sure|certainly|of course|absolutely|okay|ok|here is|here['\u2019]s|(?:the |final )?(?:sentence|answer|prompt)"
#: What stands in front of the sentence: talk up to a colon or the line's end, or whatever announces a quotation.
_PREAMBLE = re.compile(rf"(?:{_TALK})\b[^:\n]*[:\n]|[^:.\n\"\u201c]*:\s*(?=[\"\u201c])", re.IGNORECASE)
_QUOTED = re.compile(r'"([^"]+)"|\u201c([^\u201d]+)\u201d')
_QUOTES = "\"'\u201c\u201d\u2018\u2019"
_TAG = re.compile(r"</?\w")
_SUBJECT = re.compile(r"pore|poro|rock|micrograph|stone|shale|mineral|matrix|grain|void", re.IGNORECASE)
_REFUSAL = re.compile(r"\bI\b|(?i:\b(?:sorry|apologi[sz]e|unfortunately|as an ai|language model|please|let me know)\b)")


def sentence_of(answer: str) -> str:
    """The sentence in one line, without what models put around it: thoughts, a preamble, quotation marks, markdown.

    Of an answer that has none, what is left; `what_is_wrong` tells.
    """
    text = _FENCE.sub("", _END_OF_THOUGHTS.split(answer)[-1].strip()).strip()
    text = _MARKDOWN.sub("", _TITLE.sub("", text)).strip()
    preamble = _PREAMBLE.match(text)
    if preamble:
        text = text[preamble.end() :].strip()
        quoted = _QUOTED.match(text)  # what follows it is talk again
        text = (quoted[1] or quoted[2]) if quoted else text
    # a bar would make an ensemble of it
    return clean_prompt(text.strip(_QUOTES).replace(SEPARATOR, " "))


def what_is_wrong(sentence: str) -> str | None:
    """Why this is no short sentence on a rock's pores, in a few words; None where it is one."""
    words = len(sentence.split())
    if not sentence:
        return "an empty answer"
    if _TAG.search(sentence):
        return "unfinished thoughts, or other tags"
    if words > MOST_WORDS or len(sentence) > MOST_LETTERS:
        return f"{words} words, {len(sentence)} letters, instead of one sentence of at most {MOST_WORDS} words"
    if any(letter.isdigit() for letter in sentence):
        return "an answer with numbers, which the statistics do not support"
    if _REFUSAL.search(sentence):
        return "an answer about itself"
    if re.match(rf"(?:{_TALK})\b", sentence, re.IGNORECASE) or any(quote in sentence for quote in '"\u201c\u201d'):
        return "text besides the sentence"
    if not _SUBJECT.search(sentence):
        return "an answer without a word on rock or pores"
    return None
