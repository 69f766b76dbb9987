"""The map of the packages, as CONTRIBUTING.md gives it: imports go one way, names say one thing, its table is true."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

from tests.paths import ROOT

PIPELINE = ROOT / "pipeline"
ALLOWED: dict[str, set[str]] = {
    "options": {"images", "networks"},
    "images": set(),
    "networks": set(),
    "metrics": set(),
    "visual": set(),
    "cluster": set(),
    "tiling": {"images", "networks"},
    "foreground": {"images", "networks", "tiling"},
    "data": {"images", "foreground"},
    "annotations": {"images", "data"},
    "text": {"images", "data"},
    "transforms": {"images", "networks", "foreground", "text"},
    "synthetic": {"transforms"},
    "engine": {"images", "networks", "tiling", "foreground", "text"},
    "measure": {"images", "tiling", "engine", "visual"},
    "report": {"images", "tiling", "foreground", "engine", "measure", "visual"},
    "tracking": {"data", "visual"},
    "comparison": {"metrics", "tracking", "visual"},
}
PACKAGES = {path.name for path in PIPELINE.iterdir() if (path / "__init__.py").is_file()}
ALLOWED["workflows"] = set(ALLOWED)
ALLOWED["experiments"] = set(ALLOWED)
ALLOWED["api"] = set(ALLOWED)
ALLOWED["label"] = set(ALLOWED)
ALLOWED["cli"] = set(ALLOWED)
#: the package itself gives its public names
OF_MODULES = {"__init__.py": {"api"}}


def imported(file: Path) -> Iterator[str]:
    """The packages that a module imports, anywhere in its code, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: relative import"
            names = [f"{node.module}.{name}" for name in names]
        for name in names:
            first, *rest = name.split(".")
            if first == "pipeline" and rest and rest[0] in PACKAGES:
                yield rest[0]


def test_only_one_package_speaks_with_mlflow() -> None:
    outside = [
        file
        for file in PIPELINE.rglob("*.py")
        if re.search(r"^\s*(import|from) mlflow\b", file.read_text(encoding="utf-8"), re.MULTILINE)
        and file.relative_to(PIPELINE).parts[0] != "tracking"
    ]
    assert not outside


def test_only_the_window_needs_qt() -> None:
    outside = [
        file
        for file in PIPELINE.rglob("*.py")
        if re.search(
            r"^\s*(import|from) (napari|qtpy|PyQt\d|PySide\d)\b", file.read_text(encoding="utf-8"), re.MULTILINE
        )
        and file.relative_to(PIPELINE).parts[0] != "label"
    ]
    assert not outside


def test_the_map_names_every_package_and_has_no_cycle() -> None:
    assert set(ALLOWED) == PACKAGES
    TopologicalSorter(ALLOWED).prepare()  # raises CycleError


def test_imports_go_one_way() -> None:
    allowed = {**ALLOWED, **OF_MODULES}
    wrong = [
        f"{file.relative_to(PIPELINE)} imports {package}"
        for file in PIPELINE.rglob("*.py")
        for package in imported(file)
        if (here := file.relative_to(PIPELINE).parts[0]) != package and package not in allowed.get(here, set())
    ]
    assert not wrong


def test_no_two_modules_have_the_same_name() -> None:
    """A command of `cli` may have the name of what it opens."""
    named = defaultdict(list)
    for file in (*PIPELINE.rglob("*.py"), *(path.parent for path in PIPELINE.glob("**/__init__.py"))):
        if file.stem not in ("__init__", "__main__") and file.parent != PIPELINE / "cli":
            named[file.stem].append(str(file.relative_to(PIPELINE)))
    assert not [files for files in named.values() if len(files) > 1]


def test_the_map_and_the_table_of_contributing_are_true() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    part = text[text.index("## Map of the packages") : text.index("## Benchmarks")]
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]*)\|$", part, re.MULTILINE)
    names = [name for name, _ in rows]
    for place, (name, imports) in enumerate(rows):
        known = set(names[place + 1 :]) if imports.strip() == "all below" else set(re.findall(r"\w+", imports))
        assert known == ALLOWED[name], name
    assert set(names) == PACKAGES
    paths = re.findall(r"`([a-z_]+/[a-z_/0-9]+\.py)`", part)
    assert len(paths) > 20
    assert not [path for path in paths if not (PIPELINE / path).is_file() and not (ROOT / path).is_file()]


def test_no_name_that_is_loaded_late_is_also_a_module() -> None:
    """Importing the module would put it in the place of the name."""
    for package in ("workflows", "transforms"):
        names = set(import_module(f"pipeline.{package}").__all__)
        assert not names & {path.stem for path in (PIPELINE / package).iterdir()}
