"""What an MLflow store did not accept: kept in a file beside the results, and sent again."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from PIL import Image

from pipeline.errors import UserError, first_line
from pipeline.files import atomic_path
from pipeline.tracking.stores import STORE_ERRORS, default_tracking_uri, open_store, store_error
from pipeline.visual import write_png

logger = logging.getLogger("vlsenet")

FILE_NAME = "mlflow_unsent.jsonl"
PICTURES = "mlflow_unsent"

#: seconds before a store that is down is tried again, as each call waits for it
_PAUSE = 30.0


class Outbox:
    """Messages to one MLflow run: metrics, pictures, files, tags and the end.

    A message that the store does not accept goes into `mlflow_unsent.jsonl`, in order, one JSON object per line.
    They are sent along with the next message that is accepted. A resumed training finds the file and sends it too.

    Args:
        folder: of the results, where the file is kept.
        client: of the store.
        run_id: the run.
        address: the store's, for the log.
    """

    def __init__(self, folder: Path, client: mlflow.MlflowClient, run_id: str, address: str) -> None:
        self.file = folder / FILE_NAME
        self._folder = folder
        self._client = client
        self._run_id = run_id
        self._address = address
        self._asked = -_PAUSE  # when it last failed to answer

    def send_metrics(self, values: Mapping[str, float], step: int) -> None:
        """Send scores, by name."""
        now = int(time.time() * 1000)
        self._send({"kind": "metrics", "values": dict(values), "timestamp": now, "step": step})

    def send_picture(self, picture: np.ndarray, key: str, step: int) -> None:
        """Send an RGB picture (H, W, 3), uint8."""
        self._send({"kind": "picture", "key": key, "step": step}, picture)

    def send_file(self, file: Path, folder: str) -> None:
        """Send a file into a folder of the run's artifacts."""
        self._send({"kind": "file", "file": str(file.absolute()), "folder": folder})

    def send_tag(self, key: str, value: str) -> None:
        """Send a tag."""
        self._send({"kind": "tag", "key": key, "value": value})

    def send_end(self, status: str) -> None:
        """Close the run, after sending all that is left; the log names what could not be sent."""
        self._asked = -_PAUSE
        self._send({"kind": "end", "status": status, "timestamp": int(time.time() * 1000)})
        left = self.waiting()
        if left:
            logger.warning(
                "MLflow at %s did not accept %s of run %s: keep %s, and send it later with vlsenet send",
                self._address,
                _counted(left),
                self._run_id,
                self.file,
            )

    def waiting(self) -> list[dict[str, Any]]:
        """The messages that have not been accepted.

        Raises:
            UserError: the file can't be read.
        """
        return unsent_messages(self._folder)

    def flush(self) -> list[dict[str, Any]]:
        """Send what is waiting, in order; returns what the store still does not accept."""
        waiting = self.waiting()
        left: list[dict[str, Any]] = []
        for number, message in enumerate(waiting):
            try:
                self._deliver(message, self._picture_of(message))
            except STORE_ERRORS as error:
                left.append(message)
                if _is_away(error):
                    left += waiting[number + 1 :]
                    self._asked = time.monotonic()
                    break
        if left != waiting:
            self._rewrite(left)
            logger.info(
                "MLflow at %s is back and accepted %s", self._address, _counted(waiting[: len(waiting) - len(left)])
            )
        return left

    def _send(self, message: dict[str, Any], picture: np.ndarray | None = None) -> None:
        message = {"run_id": self._run_id, **message}
        if time.monotonic() - self._asked < _PAUSE:
            self._keep(message, picture)
            return
        try:
            if any(_was_away(earlier) for earlier in self.waiting()) and any(map(_was_away, self.flush())):
                self._keep(message, picture)  # it would overtake them
                return
            self._deliver(message, picture)
        except STORE_ERRORS as error:
            reason = first_line(error)
            logger.warning(
                "MLflow at %s did not accept %s (%s); kept in %s", self._address, _counted([message]), reason, self.file
            )
            if _is_away(error):
                self._asked = time.monotonic()
                self._keep(message, picture)
            else:
                self._keep({**message, "refused": reason}, picture)

    def _deliver(self, message: Mapping[str, Any], picture: np.ndarray | None) -> None:
        client, run_id, kind = self._client, message["run_id"], message["kind"]
        if kind == "metrics":
            when = message["timestamp"], message["step"]
            client.log_batch(run_id, metrics=[Metric(k, float(v), *when) for k, v in message["values"].items()])
        elif kind == "picture":
            assert picture is not None  # for mypy
            client.log_image(run_id, picture, key=message["key"], step=message["step"])
        elif kind == "file":
            client.log_artifact(run_id, message["file"], message["folder"])
        elif kind == "tag":
            client.set_tag(run_id, message["key"], message["value"])
        else:
            client.set_terminated(run_id, message["status"], message["timestamp"])

    def _keep(self, message: dict[str, Any], picture: np.ndarray | None) -> None:
        """Append a message to the file; a picture is kept beside it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if picture is not None:
            place = self._folder / PICTURES / f"{time.time_ns()}.png"
            write_png(place, picture)
            message = {**message, "picture": place.name}
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
            with atomic_path(self.file) as partial:
                Path(partial).write_text("".join(json.dumps(message) + "\n" for message in left), encoding="utf-8")
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
    """Send what is kept in a folder of results; returns how many messages were sent, and how many are left.

    Args:
        folder: of a command's results.
        tracking_uri: MLflow store; None for ``mlflow.db`` in the folder.

    Raises:
        UserError: the store can't be opened, or the messages can't be read.
    """
    address = tracking_uri or default_tracking_uri(str(folder))
    try:
        outbox = Outbox(folder, open_store(address), "", address)
    except STORE_ERRORS as error:
        raise store_error(address, error) from error
    count, left = len(outbox.waiting()), len(outbox.flush())
    return count - left, left


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


def _is_away(error: BaseException) -> bool:
    """Whether a store is unreachable or broken, and not just refusing this message."""
    if isinstance(error, MlflowException):
        return error.get_http_status_code() >= 500 or error.get_http_status_code() == 429  # too many requests
    return not isinstance(error, FileNotFoundError)


def _was_away(message: Mapping[str, Any]) -> bool:
    return "refused" not in message


def _counted(messages: list[dict[str, Any]]) -> str:
    counts = Counter(message["kind"] for message in messages)
    names = {"end": "end of the run"}
    named = [(count, names.get(kind, kind)) for kind, count in counts.items()]
    return ", ".join(name if count == 1 else f"{count} x {name}" for count, name in named)
