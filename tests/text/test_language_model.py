from __future__ import annotations

import base64
import contextlib
import json
import logging
import threading
import time
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.errors import UserError
from pipeline.text import language_model
from pipeline.text.language_model import Endpoint, LanguageModelWriter
from pipeline.text.prompt_writer import ImageStatistics

KEY = "sk-secret-0123456789"
STATISTICS = ImageStatistics(
    mean=0.51234567, std=0.2, median=0.5, p10=0.2, p90=0.8, entropy=4.5, edge_density=0.05, gradient_strength=0.04
)
SENTENCE = "A rock image showing sparse, small pores."


def answer(content: object, finish_reason: str = "stop") -> bytes:
    choice = {"message": {"role": "assistant", "content": content}, "finish_reason": finish_reason}
    return json.dumps({"choices": [choice]}).encode()


class FakeServer:
    """Answers as told, the last answer again and again, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = [(200, answer(SENTENCE))]
        self.delay = 0.0
        self.pause = 0.0
        self.drip = 0.0
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                fake.asked.append((self.path, dict(self.headers), content))
                status, body = fake.answers.pop(0) if len(fake.answers) > 1 else fake.answers[0]
                time.sleep(fake.delay)
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Retry-After", "3600")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                time.sleep(fake.pause)
                with contextlib.suppress(ConnectionError):  # nobody waits for a late answer
                    for byte in [body[i : i + 1] for i in range(len(body))] if fake.drip else [body]:
                        time.sleep(fake.drip)
                        self.wfile.write(byte)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(language_model, "_BACKOFF", 0.01)
    fake = FakeServer()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


def write(server: FakeServer, key: str = KEY, url: str = "") -> str:
    return LanguageModelWriter(Endpoint(url or server.url, "some-model", key))(STATISTICS)


def test_it_is_sent_the_statistics_and_nothing_else(server):
    assert write(server) == SENTENCE
    ((path, headers, content),) = server.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    sent = json.loads(content)
    assert set(sent) == {"model", "messages"}
    assert sent["model"] == "some-model"
    system, user = sent["messages"]
    assert system["content"] == language_model._INSTRUCTION
    assert json.loads(user["content"]) == {**asdict(STATISTICS), "mean": 0.5123}


def test_without_a_key_none_is_sent(server, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password other-secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    write(server, key="", url=server.url + "/chat/completions/")
    ((path, headers, _),) = server.asked
    assert path == "/v1/chat/completions"
    assert "Authorization" not in headers


@pytest.mark.parametrize("status", [429, 500, 503])
def test_it_tries_again_where_the_server_is_busy_or_broken(server, status):
    server.answers = [(status, b"wait"), (status, b"wait"), (200, answer(SENTENCE))]
    assert write(server) == SENTENCE
    assert len(server.asked) == 3


def test_it_gives_up_after_some_tries(server):
    server.answers = [(503, b"down")]
    with pytest.raises(UserError, match=r"busy or broken \(status 503, 5 tries\)"):
        write(server)
    assert len(server.asked) == 5


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (401, b"Incorrect API key: " + KEY.encode(), "VLSENET_LLM_KEY"),
        (403, b"", "VLSENET_LLM_KEY"),
        (404, b"", "VLSENET_LLM_MODEL"),
        (400, b"bad request of " + KEY.encode(), r"status 400\): bad request of \*\*\*"),
        (307, b"", "status 307"),
        (200, b"<html>", "VLSENET_LLM_URL"),
        (200, b"[]", "VLSENET_LLM_URL"),
        (200, b'{"choices": []}', "VLSENET_LLM_URL"),
        (200, answer(None), "empty answer"),
        (200, answer(" \n "), "empty answer"),
        (200, answer([1, {"type": "image_url"}, {"text": None}]), "empty answer"),
        (200, answer("", "length"), "cut off"),
        (200, answer("<think>Few pores, or"), "unfinished thoughts"),
        (200, answer("I'm sorry, but I cannot see the rock."), "an answer about itself"),
        (200, answer("pore " * 56), "56 words"),
        (200, answer("pore" * 101), "404 letters"),
        (200, answer("Porosity is 12.3 %."), "numbers"),
        (200, answer(SENTENCE, "length"), "cut off"),
        (200, b"[" * 200_000, "VLSENET_LLM_URL"),
    ],
)
def test_what_goes_wrong_is_one_line_without_the_key(server, caplog, status, body, told):
    server.answers = [(status, body)]
    with caplog.at_level(logging.DEBUG), pytest.raises(UserError, match=told) as caught:
        write(server)
    assert len(server.asked) == 1
    assert len(str(caught.value).splitlines()) == 1
    assert KEY not in str(caught.value) + caplog.text


def test_an_answer_becomes_one_line_and_no_ensemble(server):
    server.answers = [(200, answer("Sparse |\n small\tpores. "))]
    assert write(server) == "Sparse small pores."


def test_what_models_put_around_a_sentence_is_taken_off(server):
    server.answers = [(200, answer(f'<think>55 pores?\nNo.</think>\nHere is the sentence:\n"{SENTENCE}"'))]
    assert write(server) == SENTENCE


def test_an_answer_in_parts(server):
    parts = [{"type": "reasoning", "text": "Few?"}, {"type": "text", "text": SENTENCE[:9]}, {"text": SENTENCE[9:]}]
    server.answers = [(200, answer(parts))]
    assert write(server) == SENTENCE


def test_long_thoughts_do_not_count(server):
    server.answers = [(200, answer("Few pores, or many? " * 20_000 + f"</think>{SENTENCE}"))]
    assert write(server) == SENTENCE


def test_a_server_that_falls_silent_in_its_answer_is_told(server, monkeypatch):
    monkeypatch.setattr(language_model, "_TIMEOUT", (1.0, 0.2))
    server.pause = 1.0
    with pytest.raises(UserError, match=r"did not answer within 0\.2 s"):
        write(server)


def test_a_server_that_drips_is_told(server, monkeypatch):
    monkeypatch.setattr(language_model, "_TIMEOUT", (1.0, 0.3))
    server.drip = 0.05  # less than the time between two bytes that is waited for
    with pytest.raises(UserError, match=r"did not answer within 0\.3 s"):
        write(server)


def test_an_endless_answer_is_none(server, monkeypatch):
    monkeypatch.setattr(language_model, "_LONGEST", 1 << 15)
    server.answers = [(200, b" " * (1 << 16) + answer(SENTENCE))]
    with pytest.raises(UserError, match="does not answer as an OpenAI-compatible endpoint does"):
        write(server)


def test_a_silent_server_is_told_once(server, monkeypatch):
    monkeypatch.setattr(language_model, "_TIMEOUT", (1.0, 0.2))
    server.delay = 1.0
    with pytest.raises(UserError, match=r"did not answer within 0\.2 s"):
        write(server)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("url", "completions"),
    [
        ("https://host/v1/", "https://host/v1/chat/completions"),
        ("http://host/v1?api-version=2024", "http://host/v1/chat/completions?api-version=2024"),
        ("http://host/v1/chat/completions?key=1", "http://host/v1/chat/completions?key=1"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1/chat/completions"),
        ("http://me:secret@host:8000/v1#part", "http://host:8000/v1/chat/completions"),
    ],
)
def test_addresses_of_the_completions(url, completions):
    assert Endpoint(url, "m").completions == completions


def test_a_password_in_the_address_is_sent_where_there_is_no_key(server, caplog):
    url = server.url.replace("//", "//me:sec%40ret@") + "?version=hidden"
    server.answers = [(401, b""), (400, b"no sec@ret, hidden")]
    with caplog.at_level(logging.INFO):
        with pytest.raises(UserError, match=r"refuses the address's password \(status 401\): check VLSENET_LLM_URL"):
            write(server, key="", url=url)
        with pytest.raises(UserError, match=r"no \*\*\*, \*\*\*") as caught:
            write(server, key="", url=url)
    server.answers = [(200, answer(SENTENCE))]
    write(server, url=url)
    sent = [headers["Authorization"] for _, headers, _ in server.asked]
    assert sent == [f"Basic {base64.b64encode(b'me:sec@ret').decode()}"] * 2 + [f"Bearer {KEY}"]
    assert {path for path, _, _ in server.asked} == {"/v1/chat/completions?version=hidden"}
    assert "ret" not in repr(Endpoint(url, "m"))
    assert "sec" not in str(caught.value) + caplog.text


def test_retries_do_not_log_the_address(caplog):
    with caplog.at_level(logging.INFO), pytest.raises(UserError, match="can't be reached"):
        LanguageModelWriter(Endpoint("http://127.0.0.1:9/v1?key=hidden", "m"))(STATISTICS)
    assert "hidden" not in caplog.text


def test_a_server_that_is_not_there(server):
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9 can't be reached \(no connection\)") as caught:
        write(server, url="http://user:hidden@127.0.0.1:9/v1")  # the discard port: nothing listens
    assert "hidden" not in str(caught.value)


def test_the_environment():
    variables = {"VLSENET_LLM_URL": " http://host/v1 ", "VLSENET_LLM_MODEL": "m", "VLSENET_LLM_KEY": f"{KEY}\n"}
    endpoint = Endpoint.from_environment(variables)
    assert endpoint == Endpoint("http://host/v1", "m", KEY)
    assert KEY not in repr(endpoint)
    with pytest.raises(UserError, match="VLSENET_LLM_URL and VLSENET_LLM_MODEL"):
        Endpoint.from_environment({})
    with pytest.raises(UserError, match="needs VLSENET_LLM_MODEL in"):
        Endpoint.from_environment({**variables, "VLSENET_LLM_MODEL": ""})
    for address in ("host/v1", "ftp://host", "http://", "http://host:port/v1"):
        with pytest.raises(UserError, match="http or https"):
            Endpoint.from_environment({**variables, "VLSENET_LLM_URL": address})
    with pytest.raises(UserError, match="VLSENET_LLM_KEY") as caught:
        Endpoint.from_environment({**variables, "VLSENET_LLM_KEY": "sec\nret"})
    assert "ret" not in str(caught.value).split(";")[0]
