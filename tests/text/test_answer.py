from __future__ import annotations

import pytest

from pipeline.text.language_model import sentence_of, what_is_wrong
from pipeline.text.prompt_writer import ImageStatistics, write_prompt

SENTENCE = "A rock image showing sparse, small pores."


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        '"{}"',
        "'{}'",
        "\u201c{}\u201d",
        "```\n{}\n```",
        "```text\n{}\n```",
        "**{}**",
        "_{}_",
        "> {}",
        "<think>55 pores?\nNo.</think>\n{}",
        "Okay, the user wants pores.\n</think>\n\n{}",
        "<THINKING>a</THINKING>b</think>{}",
        'Sure! Here is the sentence:\n\n"{}"',
        "Here\u2019s the sentence:\n\u201c{}\u201d\n\nLet me know if it should be shorter.",
        "Here is a sentence on the pores: {}",
        "Sure!\n{}",
        "**Sentence:** {}",
        "# Description\n\n{}",
        'Based on these statistics: "{}"',
    ],
)
def test_what_models_put_around_a_sentence_is_taken_off(around):
    sentence = sentence_of(around.format(SENTENCE))
    assert sentence == SENTENCE
    assert what_is_wrong(sentence) is None


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("", "empty"),
        ("<think>A sentence about pores", "unfinished thoughts"),
        (f"<answer>{SENTENCE}</answer>", "other tags"),
        ("I'm sorry, but I cannot see the image of the rock.", "about itself"),
        ("Unfortunately no rock is shown.", "about itself"),
        (f"{SENTENCE}\n\nPlease tell if that fits.", "about itself"),
        (f"Sure! {SENTENCE}", "text besides the sentence"),
        (f'{SENTENCE} Or: "dense pores".', "text besides the sentence"),
        ("No image was provided.", "without a word on rock or pores"),
        ("Rock with 12 % pores.", "numbers"),
        ("pore " * 56, "56 words"),
    ],
)
def test_what_is_no_sentence_on_pores_is_told(answer, told):
    assert told in what_is_wrong(sentence_of(answer))


@pytest.mark.parametrize(
    "sentence", ["Sparse pores that cannot be told apart from voids.", "A rock: dense, small pores."]
)
def test_sentences_that_look_like_talk_are_kept(sentence):
    assert sentence_of(sentence) == sentence
    assert what_is_wrong(sentence) is None


def test_the_rules_own_sentences_pass():
    sentence = write_prompt(ImageStatistics(*[0.5] * 8))
    assert sentence_of(sentence) == sentence
    assert what_is_wrong(sentence) is None


def test_an_ensemble_is_none():
    assert sentence_of("Sparse |\n small\tpores. ") == "Sparse small pores."
