"""One version everywhere, and a citation file that says what it must."""

from __future__ import annotations

import json
import re

import yaml

import pipeline
from tests.paths import CONFIGS, ROOT


def test_all_files_have_the_version_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    metadata = json.loads((CONFIGS / "metadata.json").read_text())
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    versions = {
        "CITATION.cff": citation["version"],
        "metadata.json": metadata["version"],
        "CHANGELOG.md": headings[1],
        "its requirements": metadata["required_packages_version"]["vlsenet"],
    }
    assert versions == dict.fromkeys(versions, pipeline.__version__)
    assert pipeline.__version__ in metadata["changelog"]
    # each release once: merges of other lines can bring old ones back
    assert headings[0] == "Unreleased"
    assert len(set(headings)) == len(headings)


def test_the_citation_has_what_its_schema_needs() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation.keys() >= {"cff-version", "message", "title", "authors", "date-released", "license"}
    for reference in citation["references"]:
        assert reference.keys() >= {"type", "title", "authors"}
        assert re.fullmatch(r"10\.\d{4,}/\S+", reference.get("doi", "10.1234/none"))
    titles = " ".join(reference["title"] for reference in citation["references"])
    assert "VLSE-Net" in titles
    assert "MONAI" in titles


def test_guides_name_the_bundle_of_this_version() -> None:
    guides = [guide.read_text() for guide in (ROOT / "docs").rglob("*.md")]
    assert {version for guide in guides for version in re.findall(r"_v([\d.]+)\.zip", guide)} == {pipeline.__version__}
