"""Where the bundle's configs and model lie, mappings that hold mappings as configs do, and text as they can hold it."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pipeline
from pipeline.errors import UserError


def flattened(values: Mapping[str, Any], joint: str = ".") -> dict[str, Any]:
    """One mapping of all values that are none themselves, in order.

    Args:
        values: mappings within mappings.
        joint: between the names on the way to a value, as in `optimiser.lr`.
    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}{joint}{inner}": one for inner, one in flattened(value, joint).items()}
        else:
            flat[str(name)] = value
    return flat


#: what MONAI's configs read as an expression, a reference, a macro, or the path of an entry
_MEANT_FOR_MONAI = re.compile(r"^[$@%]|#|[@%]::")
_BARE = re.compile(r"[^\w ./-]")


def text_in_config(text: str) -> str:
    """Text as MONAI's configs can hold it, whatever is in it: where they would read it as something else, as an
    expression whose value it is."""
    if not _MEANT_FOR_MONAI.search(text):
        return text
    return "$'" + _BARE.sub(lambda one: f"\\U{ord(one[0]):08x}", text) + "'"


def text_of_config(value: Any) -> Any:
    """An entry of a config, or a list of them, as it was before `text_in_config`; anything else as it is."""
    if isinstance(value, list):
        return [text_of_config(one) for one in value]
    if isinstance(value, str) and value.startswith("$'") and "\\U" in value:
        try:
            return ast.literal_eval(value[1:])
        except (ValueError, SyntaxError):  # an expression of the config's own
            return value
    return value


#: as setup.cfg installs it; the path ends like this, whatever the place that pip chose
_INSTALLED = "share/vlsenet/"
#: the model that is used where none is given
DEFAULT_MODEL = "models/model.pt"
#: in place of a model's file: the one that comes with the package
DEFAULT = "default"


def data_file(name: str) -> Path | None:
    """A file that comes with the package, in a checkout or installed; None where it is in neither.

    Of an installed wheel its own list of files is asked, as the place differs between a virtual environment, `--user`
    and `--target`.

    Args:
        name: its path in the repository, such as `scripts/ablation.yaml`.
    """
    checkout = Path(pipeline.__file__).resolve().parents[1]
    if (checkout / "bundle" / "configs" / "common.yaml").is_file():
        return checkout / name if (checkout / name).is_file() else None
    try:
        installed = distribution("vlsenet").files or []
    except PackageNotFoundError:
        installed = []
    for file in installed:
        if file.as_posix().endswith(_INSTALLED + name):
            found = Path(str(file.locate())).resolve()
            if found.is_file():
                return found
    return None


def bundle_file(name: str) -> Path | None:
    """A file of the bundle, such as `configs/common.yaml`, as `data_file` finds it."""
    return data_file(f"bundle/{name}")


def config_folder() -> Path:
    """The folder of `common.yaml`, `train.yaml`, `scan.yaml` and the others.

    Raises:
        UserError: the installation lacks it.
    """
    found = bundle_file("configs/common.yaml")
    if found is None:
        raise UserError("the bundle's configs are not installed with vlsenet; reinstall it: pip install vlsenet")
    return found.parent


def default_model() -> Path | None:
    """The model that comes with the package; None where it was left out."""
    return bundle_file(DEFAULT_MODEL)


def model_named(path: str) -> str:
    """The path of a model's file; `default` is the model that comes with the package, where no file has that name."""
    shipped = default_model() if path == DEFAULT and not Path(path).exists() else None
    return path if shipped is None else str(shipped)


def bundle_model(root: str) -> str:
    """The model of a bundle: `models/model.pt` in its folder, or else the one that comes with the package.

    Args:
        root: folder of the bundle.

    Raises:
        UserError: there is neither.
    """
    own = Path(root) / DEFAULT_MODEL
    found = own if own.is_file() else default_model()
    if found is None:
        raise UserError(f"--checkpoint is missing: there is no {own}; give best.pt of a training")
    return str(found)


def config_files(command: str) -> list[str]:
    """The files of a bundle command, for MONAI's `config_file`: the shared one, and the command's own.

    Not one file with a macro (`%common.yaml::id`), which MONAI resolves against the working directory.

    Args:
        command: ``train``, ``evaluate``, ``inference``, ``scan``, ``audit`` or ``export``.
    """
    folder = config_folder()
    return [str(folder / "common.yaml"), str(folder / f"{command}.yaml")]
