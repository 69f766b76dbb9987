"""Addresses of MLflow stores: of SQLite files, and without passwords. Without MLflow, which takes seconds to load."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from pipeline.errors import UserError
from pipeline.wording import without_passwords

#: environment variable with the full address of a store, where files hold it without its password
ADDRESS_VARIABLE = "VLSENET_TRACKING_URI"

SQLITE = "sqlite:///"


@cache
def decodes() -> bool:
    """Whether the installed SQLAlchemy decodes the path of a database, as versions from 2.1 do."""
    import sqlalchemy  # for which commands without a store need not wait

    return sqlalchemy.make_url(f"{SQLITE}%41").database == "A"


def default_tracking_uri(output_dir: str | Path) -> str:
    """The SQLite store of an output folder."""
    return sqlite_address(Path(output_dir) / "mlflow.db")


def sqlite_address(file: Path) -> str:
    """The address of an SQLite store; MLflow's database layer takes a `?` for options, and some versions decode `%`.

    Raises:
        UserError: there is a `?` in the path, and that layer has no form for it.
    """
    path = file.absolute().as_posix()
    if "?" in path and not decodes():
        raise UserError(
            f"{file}: MLflow's store can't be in a folder with a ? in its name; rename it (SQLAlchemy 2.1 can)"
        )
    return SQLITE + (path.replace("%", "%25").replace("?", "%3F") if decodes() else path)


def sqlite_file(tracking_uri: str) -> Path | None:
    """The file of an SQLite store; None for any other address."""
    return _file_and_options(tracking_uri)[0] if tracking_uri.startswith(SQLITE) else None


def _file_and_options(address: str) -> tuple[Path, str]:
    """The file of an SQLite store and what follows its path, from `?`.

    A path that was typed as it is, not encoded, is understood where its folder is there.
    """
    path = address.removeprefix(SQLITE)
    parent = Path(path).parent
    if "?" in str(parent) and parent.is_dir():
        return Path(path), ""
    typed, mark, options = path.partition("?")
    decoded = Path(unquote(typed) if decodes() else typed)
    as_typed = Path(typed).parent.is_dir() and not decoded.parent.is_dir()
    return Path(typed) if as_typed else decoded, mark + options


def kept_address(tracking_uri: str) -> str:
    """A store's address as files keep it: with the whole path of an SQLite file, and without a password."""
    if tracking_uri.startswith(SQLITE):
        file, options = _file_and_options(tracking_uri)
        return sqlite_address(file) + options
    return without_passwords(tracking_uri)


def full_address(tracking_uri: str) -> str:
    """An address with its password, if this process or one above it was given the same address with one."""
    if sqlite_file(tracking_uri) is not None:
        return kept_address(tracking_uri)
    given = os.environ.get(ADDRESS_VARIABLE, "")
    if kept_address(tracking_uri) != tracking_uri:
        os.environ[ADDRESS_VARIABLE] = tracking_uri  # for what is read from files, and for processes of this one
    return given if given and kept_address(given) == tracking_uri else tracking_uri
