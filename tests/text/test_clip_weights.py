from __future__ import annotations

import http.server
import os
import socket
import subprocess
import sys
import threading
import time

import open_clip
import pytest

from pipeline.errors import UserError
from pipeline.text import build_text_source, clip_weights
from pipeline.text.clip_weights import check_local, fetch_pretrained, weights_digest, weights_file


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def bare_machine(monkeypatch, tmp_path):
    """No weights in any cache."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def blackhole():
    """A server that takes connections and never says a word."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        yield f"127.0.0.1:{silent.getsockname()[1]}"


@pytest.mark.parametrize("hub", ["hub.invalid", "127.0.0.1:9", "blackhole"])
@pytest.mark.usefixtures("bare_machine")
def test_out_of_reach_fails_within_seconds_with_three_ways(hub, blackhole, monkeypatch, tmp_path):
    host = blackhole if hub == "blackhole" else hub
    template = f"http://{host}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    assert clip_weights._ANSWER_WITHIN < 10
    monkeypatch.setattr(clip_weights, "_ANSWER_WITHIN", 1)
    source = build_text_source("clip", cache_dir=tmp_path / "features")
    start = time.perf_counter()
    with pytest.raises(UserError) as caught:
        source.encode(["pore"])
    assert time.perf_counter() - start < 4
    for part in ("RN50/openai", host, "HF_HOME", "--text_weights", "learned, none or random"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_out_of_reach_as_a_user_meets_it(tmp_path):
    code = "from pipeline.text import build_text_source as b; b('clip', cache_dir='features').encode(['pore'])"
    environment = {**os.environ, "HOME": str(tmp_path), "HF_HOME": str(tmp_path), "HF_ENDPOINT": "https://hub.invalid"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert "UserError: The CLIP weights RN50/openai are not on this machine" in done.stderr
    assert "hub.invalid cannot be reached" in done.stderr


@pytest.mark.usefixtures("bare_machine")
def test_offline_switch_asks_nobody(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("urllib.request.urlopen", None)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        fetch_pretrained("RN50", "openai")


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_cached_weights_are_taken_without_a_question(name, monkeypatch, tmp_path):
    # the layout of the hub's cache, as its documentation gives it
    snapshot = tmp_path / "models--timm--resnet50_clip.openai" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / name).write_bytes(b"weights")
    refs = snapshot.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", None)
    assert fetch_pretrained("RN50", "openai") == snapshot / name


@pytest.mark.usefixtures("bare_machine")
def test_direct_downloads_are_found(tmp_path):
    file = tmp_path / ".cache" / "clip" / "RN50.pt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    assert fetch_pretrained("RN50", "openai") == file


@pytest.fixture
def server():
    """A server on this machine that has one file."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            found = self.path == "/clip/tiny.pt"
            self.send_response(200 if found else int(self.path[1:]) if self.path[1:].isdigit() else 404)
            self.send_header("Content-Length", "7" if found else "0")
            self.end_headers()
            if found and self.command == "GET":
                self.wfile.write(b"weights")

        do_HEAD = do_GET

        def log_message(self, *args):
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.usefixtures("bare_machine")
def test_a_server_that_answers_is_downloaded_from(server, monkeypatch):
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda model, tag: {"url": f"{server}/clip/tiny.pt"})
    file = fetch_pretrained("tiny", "mine")
    assert file.read_bytes() == b"weights"


@pytest.mark.usefixtures("bare_machine")
def test_a_file_that_the_server_lacks_is_an_error_with_three_ways(server, monkeypatch):
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda model, tag: {"url": f"{server}/clip/gone.pt"})
    with pytest.raises(UserError, match=r"404.*--text_weights"):
        fetch_pretrained("tiny", "mine")


@pytest.mark.usefixtures("bare_machine")
@pytest.mark.parametrize("status", [429, 503])
def test_a_server_in_trouble_is_not_asked_again(status, server, monkeypatch):
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda model, tag: {"url": f"{server}/{status}"})
    monkeypatch.setattr(open_clip, "download_pretrained", None)
    with pytest.raises(UserError, match=f"answers with error {status} .*--text_weights"):
        fetch_pretrained("tiny", "mine")


@pytest.mark.usefixtures("bare_machine")
def test_names_that_resolve_too_slowly_do_not_hold_up(monkeypatch):
    asked_no_more = threading.Event()

    def resolve(*args, **kwargs):
        asked_no_more.wait(10)
        raise OSError("no such name")

    monkeypatch.setattr(clip_weights, "_ANSWER_WITHIN", 0.1)
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda model, tag: {"url": "http://slow.invalid/x.pt"})
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    start = time.perf_counter()
    with pytest.raises(UserError, match=r"slow\.invalid does not answer"):
        fetch_pretrained("tiny", "mine")
    assert time.perf_counter() - start < 2
    asked_no_more.set()


def test_the_file_in_a_folder(tmp_path):
    (tmp_path / "readme.md").write_text("")
    with pytest.raises(UserError, match="found none"):
        weights_file(tmp_path)
    (tmp_path / "open_clip_pytorch_model.bin").write_bytes(b"1")
    assert weights_file(tmp_path).name == "open_clip_pytorch_model.bin"
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"2")
    assert weights_file(tmp_path).name == "open_clip_model.safetensors"
    (tmp_path / "second.safetensors").write_bytes(b"3")
    with pytest.raises(UserError, match=r"second\.safetensors"):
        check_local(tmp_path)


def test_digest_sees_weights_and_architecture(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"1")
    alone = weights_digest(tmp_path)
    assert alone == weights_digest(tmp_path / "w.safetensors")
    (tmp_path / "open_clip_config.json").write_text("{}")
    one = weights_digest(tmp_path)
    (tmp_path / "open_clip_config.json").write_text("{ }")
    assert len({alone, one, weights_digest(tmp_path)}) == 3
