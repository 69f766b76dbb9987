"""What `import pipeline` gives, how long it takes, and that the use of it changes nothing else in the process."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

import pipeline as vlsenet
from pipeline import errors
from pipeline.errors import FileProblem, UserError

PUBLIC = ["FileProblem", "Measured", "Model", "Segmentation", "UserError", "__version__", "load", "measure"]


def test_the_public_names_are_these() -> None:
    assert sorted(vlsenet.__all__) == PUBLIC
    assert set(PUBLIC) <= set(dir(vlsenet))
    assert vlsenet.UserError is UserError
    assert issubclass(vlsenet.FileProblem, vlsenet.UserError)
    assert vlsenet.FileProblem is FileProblem
    for name in PUBLIC:
        assert getattr(vlsenet, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = vlsenet.lode


def test_a_seed_holds_through_the_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vlsenet, "import_module", lambda name: random.random() and errors)
    before = random.getstate()
    assert vlsenet.UserError is UserError
    assert random.getstate() == before


def test_a_seed_holds_through_the_first_mask() -> None:
    code = (
        "import random, pipeline; random.seed(0); before = random.getstate(); pipeline.measure([[0, 1], [1, 0]]);"
        "assert random.getstate() == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_says_what_it_is() -> None:
    for name in set(PUBLIC) - {"__version__"}:
        assert getattr(vlsenet, name).__doc__
    for kind in (vlsenet.Model, vlsenet.Segmentation, vlsenet.Measured):
        for name, member in vars(kind).items():
            if not name.startswith("_"):
                assert (member.__doc__ or "").strip(), f"{kind.__name__}.{name}"


def test_importing_loads_nothing_else() -> None:
    code = (
        "import sys, time; start = time.process_time(); import pipeline; taken = time.process_time() - start;"
        "heavy = {'torch', 'monai', 'numpy', 'mlflow', 'yaml'};"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & heavy));"
        "print(taken < 0.2)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["[]", "True"]


def test_measure_is_a_function_and_a_package() -> None:
    import pipeline.measure.porosity

    assert callable(vlsenet.measure)
    assert pipeline.measure.porosity.Porosity
