"""The package by the name of its distribution, and what runs its command.

`import vlsenet` gives the names of `import pipeline as vlsenet`. It also works where the working folder, or another
entry of the path, has a file or folder `pipeline` of its own, which Python would take for the package.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline import FileProblem, Measured, Model, Segmentation, UserError, __version__, load, measure

_PACKAGE = "pipeline"
_OWN = Path(__file__).resolve().parent / _PACKAGE / "__init__.py"

__all__ = ["FileProblem", "Measured", "Model", "Segmentation", "UserError", "__version__", "load", "measure"]


def _is_own(file: str | None) -> bool:
    return file is not None and Path(file).resolve() == _OWN


def _take_own_package() -> None:
    """Load the package that lies beside this file, where Python would find another one.

    Raises:
        ImportError: the other one is loaded already.
    """
    if (loaded := sys.modules.get(_PACKAGE)) is not None:
        if not _is_own(loaded.__file__):
            place = loaded.__file__ or list(loaded.__path__)
            raise ImportError(
                f"vlsenet's package is called {_PACKAGE}, and another one is loaded already, from {place}; rename "
                "that, or import vlsenet first"
            )
        return
    found = find_spec(_PACKAGE)
    if not _OWN.is_file() or (found is not None and _is_own(found.origin)):
        return
    spec = spec_from_file_location(_PACKAGE, _OWN, submodule_search_locations=[str(_OWN.parent)])
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[_PACKAGE] = module
    spec.loader.exec_module(module)


_take_own_package()


def __getattr__(name: str) -> Any:
    import pipeline

    if name not in pipeline.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(pipeline, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _load_pyfunc(path: str) -> Any:
    """The door by which `mlflow.pyfunc` loads a model that was logged, from its file of weights.

    MLflow's error names the module of this door where it is not installed: so it has the package's name.
    """
    from pipeline.api.mlflow_loader import load_logged

    return load_logged(path)


def main() -> int:
    """The command `vlsenet`; returns the exit status."""
    from pipeline.cli.main import main as run

    return run()
