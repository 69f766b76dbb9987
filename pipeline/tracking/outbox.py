"""What an MLflow store did not accept: kept in a file beside the results, and sent again."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.entities import Metric, RunTag
from PIL import Image

from pipeline.errors import UserError, first_line
from pipeline.files import write_text
from pipeline.locks import locked_folder
from pipeline.tracking.addresses import default_tracking_uri, kept_address
from pipeline.tracking.logged_model import ModelToLog, log_model
from pipeline.tracking.run_start import run_in_store, start_run
from pipeline.tracking.stores import KEY, STORE_ERRORS, is_away, is_key, open_client, store_error
from pipeline.visual import write_png
from pipeline.wording import without_passwords

logger = logging.getLogger("vlsenet")

FILE_NAME = "mlflow_unsent.jsonl"
PICTURES = "mlflow_unsent"

#: seconds before a store that is down is tried again, as each call waits for it
_PAUSE = 30.0
#: letters of the tag that says what went wrong
_LONGEST_ERROR = 500
#: seconds after a warning before another one is worth it
_REMINDER = 60.0

#: when each store last failed to answer, and when the log said so in this outage, by the monotonic clock (s)
_failed: dict[str, float] = {}
_warned: dict[str, float] = {}


class Outbox:
    """Messages to one MLflow run: its start, metrics, pictures, files, tags and end.

    A message that the store does not accept goes into `mlflow_unsent.jsonl`, in order, one JSON object per line.
    They are sent along with the next message that is accepted, by the next command that tracks its results in the same
    folder, or by `send_unsent`.

    Args:
        folder: of the results, where the file is kept.
        tracking_uri: of the store.
        run_id: the run; one that the store has not got yet is named by a key (`new_key`).
    """

    def __init__(self, folder: Path, tracking_uri: str, run_id: str) -> None:
        self.file = folder / FILE_NAME
        self.run_id = run_id
        self._folder = folder
        self._tracking_uri = tracking_uri
        self._address = kept_address(tracking_uri)
        self._accepted = False  # something, by this object

    def start(self, wanted: Mapping[str, Any], refusal_kept: bool = False) -> None:
        """Open the run; see `pipeline.tracking.run_start.start_run`.

        Raises:
            MlflowException, OSError, SQLAlchemyError: of `STORE_ERRORS`, one that does not pass by itself.
        """
        self._send({"kind": "start", **wanted}, refusal_kept=refusal_kept)

    def send_text(self, name: str, text: str, refusal_kept: bool = True) -> None:
        """Send a text file.

        Raises:
            MlflowException, OSError, SQLAlchemyError: as `start`.
        """
        self._send({"kind": "text", "name": name, "text": without_passwords(text)}, refusal_kept=refusal_kept)

    def send_metrics(self, values: Mapping[str, float], step: int) -> None:
        """Send scores, by name."""
        now = int(time.time() * 1000)
        self._send({"kind": "metrics", "values": dict(values), "timestamp": now, "step": step})

    def send_picture(self, picture: np.ndarray, key: str, step: int) -> None:
        """Send an RGB picture (H, W, 3), uint8."""
        self._send({"kind": "picture", "key": key, "step": step}, picture)

    def send_file(self, file: Path, folder: str) -> None:
        """Send a file, or all that is in a folder, into a folder of the run's artifacts."""
        self._send({"kind": "file", "file": str(file.absolute()), "folder": folder})

    def send_model(self, model: ModelToLog) -> None:
        """Send a trained model."""
        self._send({"kind": "model", **model.message()})

    def send_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the run."""
        self._send({"kind": "tags", "tags": dict(tags)})

    def send_error(self, error: str) -> None:
        """Say what went wrong, in a tag."""
        self.send_tags({"error": without_passwords(error)[:_LONGEST_ERROR]})

    def send_end(self, status: str, own_only: str | None = None) -> None:
        """Close the run, after sending all that is left; the log names what could not be sent.

        Args:
            status: ``FINISHED``, ``FAILED`` or ``KILLED``.
            own_only: key of the run; only a run that was made under this key is closed.
        """
        if self._accepted:
            _failed.pop(self._address, None)  # it was there before: worth a last try
        self._send({"kind": "end", "status": status, "timestamp": int(time.time() * 1000), "own_only": own_only})
        left = self.waiting()
        if left and time.monotonic() - _warned.get(self._address, -_REMINDER) >= _REMINDER:
            self._warn(left)

    def waiting(self) -> list[dict[str, Any]]:
        """The messages that this store has not accepted.

        Raises:
            UserError: the file can't be read.
        """
        return [message for message in unsent_messages(self._folder) if self._is_for_here(message)]

    def flush(self) -> list[dict[str, Any]]:
        """Send what is waiting, in order; returns what the store still does not accept.

        Raises:
            UserError: the file can't be read, or the address can't be right.
        """
        try:
            return self._flush()
        except STORE_ERRORS as error:
            raise store_error(self._tracking_uri, error) from error

    def _flush(self) -> list[dict[str, Any]]:
        if not self.file.exists():
            return []
        if self._failed_just_now():
            return self.waiting()
        with locked_folder(self._folder):
            every = unsent_messages(self._folder)
            waiting = [message for message in every if self._is_for_here(message)]
            sent: list[dict[str, Any]] = []
            try:
                _ = self._client
            except STORE_ERRORS as error:
                if not self._is_away(error):
                    raise
                return waiting
            try:
                for message in waiting:
                    try:
                        self._deliver(message, self._picture_of(message), waiting)
                        sent.append(message)
                    except STORE_ERRORS as error:
                        if self._is_away(error):
                            break
            finally:  # also when it is interrupted: what was sent is not sent again
                if sent:
                    self._rewrite([message for message in every if not any(message is one for one in sent)])
        if sent:
            logger.info("MLflow at %s is back and accepted %s", self._address, _counted(sent))
        return [message for message in waiting if not any(message is one for one in sent)]

    def _failed_just_now(self) -> bool:
        return time.monotonic() - _failed.get(self._address, -_PAUSE) < _PAUSE

    def _is_away(self, error: BaseException) -> bool:
        """Whether an error says that the store is away, which is noted then."""
        if away := is_away(error):
            _failed[self._address] = time.monotonic()
        return away

    def _is_for_here(self, message: Mapping[str, Any]) -> bool:
        return message.get("store", self._address) == self._address  # earlier versions did not name it

    def _send(self, message: dict[str, Any], picture: np.ndarray | None = None, refusal_kept: bool = True) -> None:
        message = {"run_id": self.run_id, "store": self._address, **message}
        try:
            if self._failed_just_now() or (
                any(map(_was_away, self.waiting())) and any(map(_was_away, self._flush()))  # it would overtake them
            ):
                self._keep(message, picture)
                self._warn_once([message])
                return
            message["run_id"] = self.run_id  # which the store may have given just now
            self._deliver(message, picture)
        except STORE_ERRORS as error:
            reason = without_passwords(first_line(error))
            if self._is_away(error):
                self._keep(message, picture)
                self._warn_once([message], f" ({reason})")
            elif refusal_kept:
                self._keep({**message, "refused": reason}, picture)
                self._warn([message], f" ({reason})")
            else:
                raise

    def _warn_once(self, messages: list[dict[str, Any]], reason: str = "") -> None:
        """Warn, if nothing was said of this outage yet."""
        if self._address not in _warned:
            _warned[self._address] = time.monotonic()
            self._warn(messages, reason)

    def _warn(self, messages: list[dict[str, Any]], reason: str = "") -> None:
        logger.warning(
            "MLflow at %s did not accept %s%s; kept in %s and sent by the next run of this command, or by "
            "vlsenet send %s",
            self._address,
            _counted(messages),
            reason,
            self.file,
            self._folder,
        )

    def _deliver(
        self, message: dict[str, Any], picture: np.ndarray | None, later: list[dict[str, Any]] | None = None
    ) -> None:
        """Send one message; after a start, what follows it, and `later` messages, have the id that the store gave."""
        client, kind = self._client, message["kind"]
        if kind == "start":
            before, run_id = message["run_id"], start_run(client, self._tracking_uri, message)
            for other in later or []:
                if other["run_id"] == before:
                    other["run_id"] = run_id
            if self.run_id == before:
                self.run_id = run_id
        else:
            run_id = self._known(client, message["run_id"])
        if kind == "metrics":
            when = message["timestamp"], message["step"]
            metrics = [Metric(name, float(value), *when) for name, value in message["values"].items()]
            client.log_batch(run_id, metrics=metrics)
        elif kind == "picture":
            assert picture is not None  # for mypy
            client.log_image(run_id, picture, key=message["key"], step=message["step"])
        elif kind == "file":
            send = client.log_artifacts if Path(message["file"]).is_dir() else client.log_artifact
            send(run_id, message["file"], message["folder"] or None)
        elif kind == "model":
            log_model(client, run_id, message)
        elif kind == "text":
            client.log_text(run_id, message["text"], message["name"])
        elif kind == "tags":
            client.log_batch(run_id, tags=[RunTag(name, value) for name, value in message["tags"].items()])
        elif kind == "tag":  # of earlier versions
            client.set_tag(run_id, message["key"], message["value"])
        elif kind == "end":
            own = message.get("own_only")
            if own is None or client.get_run(run_id).data.tags.get(KEY) == own:
                client.set_terminated(run_id, message["status"], message["timestamp"])
        self._accepted = True
        _failed.pop(self._address, None)
        _warned.pop(self._address, None)

    @cached_property
    def _client(self) -> mlflow.MlflowClient:
        return open_client(self._tracking_uri)

    def _known(self, client: mlflow.MlflowClient, run_id: str) -> str:
        """The store's id of a run, which another process may have begun in the meantime."""
        run = run_in_store(client, run_id) if is_key(run_id) else None
        if run is None:
            return run_id
        if self.run_id == run_id:
            self.run_id = str(run.info.run_id)
        return str(run.info.run_id)

    def _keep(self, message: dict[str, Any], picture: np.ndarray | None) -> None:
        """Append a message to the file; a picture is kept beside it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if picture is not None:
            place = self._folder / PICTURES / f"{time.time_ns()}.png"
            write_png(place, picture)
            message = {**message, "picture": place.name}
        with locked_folder(self._folder):
            whole = _whole_lines(self.file)
            with self.file.open("ab") as file:
                file.truncate(len(whole))
                file.write(json.dumps(message).encode() + b"\n")

    def _picture_of(self, message: Mapping[str, Any]) -> np.ndarray | None:
        if "picture" not in message:
            return None
        with Image.open(self._folder / PICTURES / message["picture"]) as picture:
            return np.asarray(picture)

    def _rewrite(self, left: list[dict[str, Any]]) -> None:
        kept = {message.get("picture") for message in left}
        if left:
            write_text(self.file, "".join(json.dumps(message) + "\n" for message in left))
        else:
            self.file.unlink()
        pictures = self._folder / PICTURES
        if pictures.is_dir():
            for picture in pictures.iterdir():
                if picture.name not in kept:
                    picture.unlink()
            if not left:
                pictures.rmdir()


def send_unsent(folder: Path, tracking_uri: str | None = None) -> tuple[int, int]:
    """Send what is kept in the results of any command; returns how many messages were sent, and how many are left.

    Args:
        folder: of a training, an evaluation, an audit, scans or an experiment; folders in it are looked through too.
        tracking_uri: MLflow store; None for those that the messages are for.

    Raises:
        UserError: a store can't be right, or the messages can't be read.
    """
    count = left = 0
    _failed.clear()  # whoever asks knows better
    for place in _folders_with_messages(folder):
        messages = unsent_messages(place)
        count += len(messages)
        own = kept_address(default_tracking_uri(place))
        stores = dict.fromkeys(message.get("store", own) for message in messages)
        if tracking_uri is not None:
            if kept_address(tracking_uri) not in stores:  # the store has moved
                messages = [{**message, "store": kept_address(tracking_uri)} for message in messages]
                Outbox(place, tracking_uri, "")._rewrite(messages)
            stores = {tracking_uri: None}
        for store in stores:
            Outbox(place, store, "").flush()
        left += len(unsent_messages(place))
    return count - left, left


def _folders_with_messages(folder: Path) -> list[Path]:
    """Folders of results with unsent messages, those of a parent run before those of its children."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.endswith(".zarr") and name != PICTURES)
        if FILE_NAME in files:
            found.append(Path(place))
    return found


def unsent_messages(folder: Path) -> list[dict[str, Any]]:
    """The messages that are kept in a folder of results.

    Raises:
        UserError: the file can't be read.
    """
    file = folder / FILE_NAME
    try:
        return [json.loads(line) for line in _whole_lines(file).splitlines()]
    except (OSError, ValueError) as error:
        raise UserError(f"{file} can't be read ({error}); remove it to continue without its content") from error


def _whole_lines(file: Path) -> bytes:
    """A file's content up to the last line end: the rest was being written when the process was killed."""
    content = file.read_bytes() if file.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def _was_away(message: Mapping[str, Any]) -> bool:
    return "refused" not in message


def _counted(messages: list[dict[str, Any]]) -> str:
    counts = Counter(message["kind"] for message in messages)
    names = {"start": "start of the run", "end": "end of the run"}
    named = [(count, names.get(kind, kind)) for kind, count in counts.items()]
    return ", ".join(name if count == 1 else f"{count} x {name}" for count, name in named)
