from __future__ import annotations

from pipeline.text.prompts import clean_prompt


def test_one_line_without_control_characters():
    assert clean_prompt("\ufeffsparse,\r\n\tsmall  pores\u00a0—\x00round ") == "sparse, small pores — round"
