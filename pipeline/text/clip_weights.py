"""Where CLIP's weights lie: a local file or folder, the hub's cache, or the hub; and a quick answer if nowhere."""

from __future__ import annotations

import hashlib
import logging
import os
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from pipeline.errors import UserError
from pipeline.files import sha256_of
from pipeline.text.features import HOW_TO_ENCODE

logger = logging.getLogger("vlsenet")

_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")
_CONFIG_NAME = "open_clip_config.json"
#: Time in seconds within which the hub must answer a first question, name resolution included.
_ANSWER_WITHIN = 6.0
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


def check_local(weights: str | Path) -> Path:
    """Check that local weights are there.

    Returns:
        The path, absolute.

    Raises:
        UserError: no such file or folder, or a folder without weights.
    """
    path = Path(weights).expanduser().absolute()
    if not path.exists():
        raise UserError(f"text_weights {weights}: no such file or folder. Ways to get weights: {HOW_TO_ENCODE}")
    weights_file(path)
    return path


def is_model_folder(path: Path) -> bool:
    """Whether this is a folder that also says which architecture it holds, as a download from the hub does."""
    return (path / _CONFIG_NAME).is_file()


def weights_file(path: Path) -> Path:
    """The file with the weights: the path itself, or the one in the folder.

    Raises:
        UserError: the folder holds no weights, or several files that may be them.
    """
    if not path.is_dir():
        return path
    files = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
    # downloads hold the same weights twice: open_clip takes the safetensors file then, and so do we
    files = [file for file in files if file.suffix == ".safetensors"] or files
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise UserError(
            f"text_weights {path}: a folder must hold one file of weights ({', '.join(_SUFFIXES)}), found {found}; "
            "give the file itself"
        )
    return files[0]


def weights_digest(path: Path) -> str:
    """sha256 of local weights and, where it lies beside them, of the description of the architecture."""
    file = weights_file(path)
    if not is_model_folder(path):
        return sha256_of(file)
    return hashlib.sha256((sha256_of(path / _CONFIG_NAME) + sha256_of(file)).encode()).hexdigest()


def fetch_pretrained(model: str, pretrained: str) -> Path:
    """The file of a model's weights of one of open_clip's tags: from the local caches, otherwise downloaded into them.

    A file that is in a cache is taken without any question over the network. Otherwise the hub must answer within
    seconds before a download starts: the hub's client would retry for a minute or more for each file name.

    Raises:
        UserError: not cached, and the hub is out of reach or does not deliver.
    """
    import open_clip

    config = open_clip.get_pretrained_cfg(model, pretrained)
    cached = next(_cached_files(config), None)
    if cached is not None:
        return cached
    what = f"The CLIP weights {model}/{pretrained} are not on this machine and cannot be downloaded"
    reason = _why_out_of_reach(_question(config))
    if reason:
        raise UserError(f"{what}: {reason}. What to do: {HOW_TO_ENCODE}")
    logger.info("downloading the CLIP weights %s/%s", model, pretrained)
    try:
        return Path(open_clip.download_pretrained(config))
    except (OSError, RuntimeError) as error:
        raise UserError(f"{what}: {' '.join(str(error).split())[:300]}. What to do: {HOW_TO_ENCODE}") from error


def _hub_names(config: dict[str, Any]) -> tuple[str, list[str]]:
    """Repository on the hub, and the names that its weights may have, the preferred one first."""
    from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME

    repository, name = os.path.split(config["hf_hub"])
    if not name:
        return repository, [HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME]
    stem, suffix = os.path.splitext(name)
    return repository, [f"{stem}.safetensors", name] if suffix in (".bin", ".pth") else [name]


def _cached_files(config: dict[str, Any]) -> Iterator[Path]:
    from huggingface_hub import try_to_load_from_cache

    if config.get("hf_hub"):
        repository, names = _hub_names(config)
        for name in names:
            found = try_to_load_from_cache(repository, name)
            if isinstance(found, str):  # otherwise None, or a mark that the hub has no such file
                yield Path(found)
    if config.get("url"):
        # where open_clip's direct downloads, and OpenAI's own package, put their files
        file = Path.home() / ".cache" / "clip" / os.path.basename(config["url"])
        if file.is_file():
            yield file


def _question(config: dict[str, Any]) -> str:
    from huggingface_hub import hf_hub_url

    if not config.get("hf_hub"):
        return config["url"]
    repository, names = _hub_names(config)
    return hf_hub_url(repository, names[0])


def _why_out_of_reach(url: str) -> str | None:
    """None where a server answers for the URL and may deliver; otherwise the reason why not."""
    from huggingface_hub import constants

    host = urlparse(url).netloc
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    reason: list[str] = []
    answered = threading.Event()

    def ask() -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_ANSWER_WITHIN).close()
        except urllib.error.HTTPError as error:
            # the hub's client tries these again for a minute; of others the download itself reports what is wrong
            if error.code == _TOO_MANY_REQUESTS or error.code >= _SERVER_ERROR:
                reason.append(f"{host} answers with error {error.code} ({error.reason})")
        except OSError as error:
            # Certificates are the download's concern too: its client may know of more of them.
            if not isinstance(getattr(error, "reason", None), ssl.SSLError):
                reason.append(f"{host} cannot be reached ({getattr(error, 'reason', error)})")
        answered.set()

    # A thread, as neither the resolver of names nor several dead addresses in a row heed the timeout.
    threading.Thread(target=ask, daemon=True).start()
    if not answered.wait(_ANSWER_WITHIN):
        return f"{host} does not answer within {_ANSWER_WITHIN:.0f} s"
    return reason[0] if reason else None
