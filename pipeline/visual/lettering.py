"""Names of files and micrographs in figures, whatever their letters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from matplotlib.font_manager import fontManager

#: fonts with Chinese, Japanese and Korean letters, of which each system has some; Matplotlib's own font has none
_EAST_ASIAN = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Noto Sans JP",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Hiragino Sans GB",
    "Hiragino Sans",
    "Heiti SC",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "SimHei",
    "Yu Gothic",
    "Meiryo",
    "Malgun Gothic",
    "Arial Unicode MS",
)


@contextmanager
def any_script() -> Iterator[None]:
    """Texts that are made meanwhile take letters that Matplotlib's font lacks from the fonts of the system.

    Also a decorator, for functions that make a figure.
    """
    installed = set(fontManager.get_font_names())
    families = ["sans-serif", *(name for name in _EAST_ASIAN if name in installed)]
    with matplotlib.rc_context({"font.family": families}):
        yield


def plain(name: str) -> str:
    """A name as Matplotlib shows it letter by letter: between two dollar signs it would expect a formula."""
    return name.replace("$", r"\$")
