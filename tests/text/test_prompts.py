from __future__ import annotations

from pipeline.text.features import clean_prompt, normal_form


def test_one_line_without_control_characters():
    assert clean_prompt("\ufeffsparse,\r\n\tsmall  pores\u00a0—\x00round ") == "sparse, small pores — round"


def test_ensembles_have_one_form():
    assert normal_form("a|b") == normal_form(" a  | |b |") == "a | b"
    assert normal_form("a  b") == "a  b"
    assert normal_form("| |") == "| |"
    assert normal_form("") == ""
