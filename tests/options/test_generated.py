"""What is written from the declarations is as they are."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from pipeline.options import BUNDLE, default, options_of
from pipeline.options.generated import config_text, generated_files, guide_text
from tests.paths import CONFIGS


def test_configs_and_guides_are_as_declared():
    stale = [str(file) for file, text in generated_files().items() if text != file.read_text(encoding="utf-8")]
    assert not stale, "run `make generated`"


@pytest.mark.parametrize("command", BUNDLE)
def test_a_config_has_the_defaults_and_plain_yaml_reads_them(command):
    content: dict[str, Any] = {}
    for file in ("common.yaml", f"{command}.yaml"):
        content |= yaml.safe_load((CONFIGS / file).read_text())
    for name, option in options_of(command).items():
        *entry, last = option.id.split("::")
        assert (content[entry[0]] if entry else content)[last] == default(command, name), name


def test_a_changed_line_is_written_again():
    text = (CONFIGS / "train.yaml").read_text()
    changed = text.replace("max_epochs: 40 ", "max_epochs: 41 ")
    assert changed != text
    assert config_text("train", changed) == text
    assert "| `--max_epochs N` | length of the training (epochs; default: `40`) |" in guide_text(
        "a\n<!-- options of train -->\nold\n<!-- end of options -->\nb"
    )
