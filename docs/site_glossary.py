"""Words of the glossary are links to it where they first stand on a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: pages whose words are not linked
_LEFT_OUT = re.compile(r"glossary|changelog|gallery|index|reference/.*")
#: what stays as it is
_NOT_IN = (nodes.reference, nodes.literal, nodes.literal_block, nodes.title, nodes.raw, nodes.term)


def words_in(glossary: str) -> dict[str, str]:
    """The anchor of every word of the glossary; a line may explain several, which share it: `LSCM, ASRM`."""
    lines = [line.split(", ") for line in re.findall(r"^(\S.*)\n: ", glossary, re.MULTILINE)]
    return {word: nodes.make_id(line[0]) for line in lines for word in line}


def link_words(doctree: nodes.document, words: dict[str, str], glossary: str) -> None:
    """Make the first of each word in the running text of a page a link.

    Args:
        doctree: of the page, changed in place.
        words: with their anchors.
        glossary: address of its page, as this page has it.
    """
    left = dict(words)
    for text in list(doctree.findall(nodes.Text)):
        if not _is_running(text):
            continue
        parts, said = [], text.astext()
        while found := _first(left, said):
            word = next(one for one in left if one.casefold() == found[1].casefold())
            parts.append(nodes.Text(said[: found.start()]))
            link = nodes.reference("", found[0], internal=True, refuri=f"{glossary}#{left[word]}", classes=["word"])
            parts.append(link)
            said = said[found.end() :]
            anchor = left[word]
            left = {one: other for one, other in left.items() if other != anchor}
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(said)])


def _first(words: dict[str, str], text: str) -> re.Match[str] | None:
    """The first of the words in a text, in singular or plural; of several that begin there the longest."""
    longest = sorted(map(re.escape, words), key=len, reverse=True)
    return re.search(rf"(?<![\w-])({'|'.join(longest)})(?:s|es)?(?![\w-])", text, re.IGNORECASE) if words else None


def _is_running(text: nodes.Text) -> bool:
    above = text.parent
    while above is not None:
        if isinstance(above, _NOT_IN) or "cell" in above.get("classes", []):
            return False
        above = above.parent
    return True


def connect(app: Sphinx) -> None:
    """Do so on all pages of the site."""
    words = words_in((Path(app.srcdir) / "glossary.md").read_text(encoding="utf-8"))

    def anchors(app: Sphinx, doctree: nodes.document) -> None:
        if app.env.docname == "glossary":
            for term in doctree.findall(nodes.term):
                term["ids"].append(words[term.astext().split(", ")[0]])

    def link(app: Sphinx, doctree: nodes.document, page: str) -> None:
        if not _LEFT_OUT.fullmatch(page):
            link_words(doctree, words, app.builder.get_relative_uri(page, "glossary"))

    app.connect("doctree-read", anchors)
    app.connect("doctree-resolved", link)
