from __future__ import annotations

import pytest

from pipeline.errors import UserError
from pipeline.text.prompts import DEFAULT_PROMPT, clean_prompt, read_prompt


def test_one_line_without_control_characters():
    assert clean_prompt("\ufeffsparse,\r\n\tsmall  pores\u00a0—\x00round ") == "sparse, small pores — round"


def test_reads_utf8_with_and_without_byte_order_mark(tmp_path):
    for number, encoding in enumerate(["utf-8", "utf-8-sig"]):
        path = tmp_path / f"{number}.txt"
        path.write_text("pores—mostly\nround\n", encoding=encoding)
        assert read_prompt(path) == "pores—mostly round"


def test_missing_and_empty_files_give_the_default(tmp_path, caplog):
    assert read_prompt(tmp_path / "no.txt") == DEFAULT_PROMPT
    assert not caplog.records
    (tmp_path / "empty.txt").write_text(" \n")
    assert read_prompt(tmp_path / "empty.txt") == DEFAULT_PROMPT
    assert "empty.txt" in caplog.text


def test_unreadable_files_are_named(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("Tonerde für".encode("latin-1"))
    with pytest.raises(UserError, match=r"latin\.txt.*UTF-8"):
        read_prompt(path)
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(UserError, match=r"folder\.txt"):
        read_prompt(tmp_path / "folder.txt")
