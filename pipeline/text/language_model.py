"""A prompt by a language model behind an OpenAI-compatible endpoint, from an image's statistics alone."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_to_bytes, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ReadTimeoutError
from urllib3.util import Retry

from pipeline.errors import UserError
from pipeline.text.features import SEPARATOR, clean_prompt
from pipeline.text.prompt_writer import ImageStatistics

#: Words and letters of an answer; CLIP's 77 tokens mostly hold them, at some 1.3 a word, and it cuts what is longer.
MOST_WORDS, MOST_LETTERS = 55, 400

#: Thoughts end here; servers often keep the opening tag for themselves.
_END_OF_THOUGHTS = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_FENCE = re.compile(r"^```\w*\s|```$")
_TITLE = re.compile(r"^#+ .*$", re.MULTILINE)
#: Bold and italic type, code, quotations; an underscore or an asterisk within a word is none.
_MARKDOWN = re.compile(r"(?<!\w)[*_`>]+|[*_`]+(?!\w)")
_TALK = r"sure|certainly|of course|absolutely|okay|ok|here is|here['\u2019]s|(?:the |final )?(?:sentence|answer|prompt)"
#: What stands in front of the sentence: talk up to a colon or the line's end, or whatever announces a quotation.
_PREAMBLE = re.compile(rf"(?:{_TALK})\b[^:\n]*[:\n]|[^:.\n\"\u201c]*:\s*(?=[\"\u201c])", re.IGNORECASE)
_QUOTED = re.compile(r'"([^"]+)"|\u201c([^\u201d]+)\u201d')
_QUOTES = "\"'\u201c\u201d\u2018\u2019"
_TAG = re.compile(r"</?\w")
_SUBJECT = re.compile(r"pore|poro|rock|micrograph|stone|shale|mineral|matrix|grain|void", re.IGNORECASE)
_REFUSAL = re.compile(r"\bI\b|(?i:\b(?:sorry|apologi[sz]e|unfortunately|as an ai|language model|please|let me know)\b)")

URL_VARIABLE, KEY_VARIABLE, MODEL_VARIABLE = "VLSENET_LLM_URL", "VLSENET_LLM_KEY", "VLSENET_LLM_MODEL"
#: Seconds to connect, and to wait for the answer, from its first byte to its last once more.
_TIMEOUT = (10.0, 90.0)
#: Bytes that are read of an answer: a sentence, with the thoughts of a model that thinks at length in front of it.
_LONGEST = 1 << 20
#: Further tries where the endpoint is busy or broken, and the seconds between them: 0, then this times 2, 4, 8.
_RETRIES, _BACKOFF = 4, 1.0
_BUSY_OR_BROKEN = (429, 500, 502, 503, 504)


def sentence_of(answer: str) -> str:
    """The sentence in one line, without what models put around it: thoughts, a preamble, quotation marks, markdown.

    Of an answer that has none, what is left; `what_is_wrong` says so.
    """
    text = _FENCE.sub("", _END_OF_THOUGHTS.split(answer)[-1].strip()).strip()
    text = _MARKDOWN.sub("", _TITLE.sub("", text)).strip()
    preamble = _PREAMBLE.match(text)
    if preamble:
        text = text[preamble.end() :].strip()
        quoted = _QUOTED.match(text)  # what follows it is talk again
        text = (quoted[1] or quoted[2]) if quoted else text
    # a bar would make an ensemble of it
    return clean_prompt(text.strip(_QUOTES).replace(SEPARATOR, " "))


def what_is_wrong(sentence: str) -> str | None:
    """Why this is no short sentence on a rock's pores, in a few words; None where it is one."""
    words = len(sentence.split())
    if not sentence:
        return "an empty answer"
    if _TAG.search(sentence):
        return "unfinished thoughts, or other tags"
    if words > MOST_WORDS or len(sentence) > MOST_LETTERS:
        return f"{words} words, {len(sentence)} letters, instead of one sentence of at most {MOST_WORDS} words"
    if any(letter.isdigit() for letter in sentence):
        return "an answer with numbers, which the statistics do not support"
    if _REFUSAL.search(sentence):
        return "an answer about itself"
    if re.match(rf"(?:{_TALK})\b", sentence, re.IGNORECASE) or any(quote in sentence for quote in '"\u201c\u201d'):
        return "text besides the sentence"
    if not _SUBJECT.search(sentence):
        return "an answer without a word on rock or pores"
    return None


_INSTRUCTION = (
    "You describe scanning electron micrographs of rock for a program that segments pores. You do not see the image, "
    "only statistics of it. Grey values run from 0 (the image's dark end) to 1 (its bright end); pores are dark, but "
    "so is organic matter. The entropy is in bits, 6 at most; the edge density is a share of the pixels; the gradient "
    "is per pixel. Write one short English sentence on the pores' density, size, shape, connectivity and "
    'heterogeneity, such as: "A rock micrograph showing sparse, small, irregular pores scattered in a mostly solid '
    'matrix, with little connectivity." State no numbers, and nothing that the statistics do not suggest. At most 40 '
    "words. Answer with the sentence alone."
)


@dataclass(frozen=True)
class Endpoint:
    """Where a language model answers.

    Attributes:
        url: base address (`https://host/v1`) or that of the chat completions. A query may stand in it, and a name
            with a password.
        model: name of the model there.
        key: sent as bearer token; where it is empty, the address's name and password are sent, if it has such.
    """

    url: str = field(repr=False)
    model: str
    key: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Endpoint:
        """Read `VLSENET_LLM_URL`, `VLSENET_LLM_MODEL` and `VLSENET_LLM_KEY`.

        Raises:
            UserError: no address or no model, or values that can't be such; the key is never shown.
        """
        url, model, key = (environment.get(name, "").strip() for name in (URL_VARIABLE, MODEL_VARIABLE, KEY_VARIABLE))
        missing = [name for name, value in ((URL_VARIABLE, url), (MODEL_VARIABLE, model)) if not value]
        if missing:
            raise UserError(
                f"the language model needs {' and '.join(missing)} in the environment ({URL_VARIABLE}: address of an "
                f"OpenAI-compatible endpoint, such as http://localhost:8000/v1; {MODEL_VARIABLE}: the model's name "
                f"there; {KEY_VARIABLE}: its key, if it asks for one)"
            )
        if not _is_address(url):
            raise UserError(f"{URL_VARIABLE} is not an http or https address; set it as in http://localhost:8000/v1")
        if not (key.isascii() and key.isprintable()):
            raise UserError(f"{KEY_VARIABLE} holds characters that no key has (such as a line end); set it again")
        return cls(url, model, key)

    @property
    def completions(self) -> str:
        """Address of the chat completions."""
        parts = urlsplit(self.url)
        path = parts.path.rstrip("/")
        path = path if path.endswith("/chat/completions") else f"{path}/chat/completions"
        # without name and password: requests would send them itself, and in place of a key
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, parts.query, ""))

    @property
    def authorization(self) -> str:
        """Value of the header of this name; empty where nothing is to be sent."""
        if self.key:
            return f"Bearer {self.key}"
        user, at, _ = urlsplit(self.url).netloc.rpartition("@")
        return f"Basic {base64.b64encode(unquote_to_bytes(user)).decode()}" if at else ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may show: the key, and the address's password and the values of its query."""
        parts = urlsplit(self.url)
        values = (self.key, unquote(parts.password or ""), *(value for _, value in parse_qsl(parts.query)))
        return tuple(filter(None, values))

    @property
    def host(self) -> str:
        """The host, for messages: an address may hold a password."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}" if parts.port is None else f"{parts.hostname}:{parts.port}"


class UnusableAnswer(UserError):
    """The language model answered, and not with a short sentence: another image may fare better."""


class LanguageModelWriter:
    """Has a language model write prompts. It is sent the statistics of an image: no pixel, and no name.

    Args:
        endpoint: where it answers.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        retry = Retry(
            total=_RETRIES,
            connect=1,
            read=False,  # an answer that did not come in time would not come in twice the time
            status_forcelist=_BUSY_OR_BROKEN,
            allowed_methods=None,
            backoff_factor=_BACKOFF,
            respect_retry_after_header=False,  # it may ask for hours
            raise_on_status=False,
        )
        # its log of a further try shows the address, and any secret in it
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))
        # also without a value: requests would send a password from `.netrc` instead
        self._session.auth = self._authorized

    def __call__(self, statistics: ImageStatistics) -> str:
        """Write one prompt.

        Raises:
            UserError: no answer, or a refusal.
            UnusableAnswer: an answer that is no short sentence.
        """
        host = self._endpoint.host
        rounded = {name: round(value, 4) for name, value in asdict(statistics).items()}
        messages = [{"role": "system", "content": _INSTRUCTION}, {"role": "user", "content": json.dumps(rounded)}]
        try:
            response = self._session.post(
                self._endpoint.completions,
                json={"model": self._endpoint.model, "messages": messages},
                timeout=_TIMEOUT,
                allow_redirects=False,  # a redirected POST arrives without its content
                stream=True,
            )
            with response:
                body = _body(response)
        except requests.RequestException as error:
            # in the middle of an answer requests calls it a lost connection, and urllib3 what it is
            if any(isinstance(cause, (requests.ReadTimeout, ReadTimeoutError)) for cause in (error, *error.args)):
                raise UserError(f"the language model at {host} did not answer within {_TIMEOUT[1]:g} s") from error
            reason = "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__
            raise UserError(
                f"the language model at {host} can't be reached ({reason}); check {URL_VARIABLE} and the server"
            ) from None  # the error's own text shows the address with what it may hold
        if response.status_code != requests.codes.ok:
            raise UserError(self._refusal(response.status_code, body))
        return self._sentence(body)

    def _authorized(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._endpoint.authorization:
            request.headers["Authorization"] = self._endpoint.authorization
        return request

    def _refusal(self, status: int, body: bytes) -> str:
        host = self._endpoint.host
        if status in (401, 403):
            by_address = self._endpoint.authorization.startswith("Basic")
            what, place = ("address's password", URL_VARIABLE) if by_address else ("key", KEY_VARIABLE)
            return f"the language model at {host} refuses the {what} (status {status}): check {place}"
        if status in _BUSY_OR_BROKEN:
            return f"the language model at {host} is busy or broken (status {status}, {_RETRIES + 1} tries); try later"
        if status == 404:
            return f"{host} knows no such address or model (status 404): check {URL_VARIABLE} and {MODEL_VARIABLE}"
        answer = " ".join(body[:2000].decode(errors="replace").split())
        for secret in self._endpoint.secrets:
            answer = answer.replace(secret, "***")
        return f"the language model at {host} refuses the request (status {status}): {answer[:200]}"

    def _sentence(self, body: bytes) -> str:
        host = self._endpoint.host
        try:
            choice = json.loads(body)["choices"][0]
            content, cut = choice["message"]["content"], choice.get("finish_reason") in ("length", "max_tokens")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise UserError(
                f"{host} does not answer as an OpenAI-compatible endpoint does; check {URL_VARIABLE}"
            ) from None
        sentence = sentence_of(_text_of(content))
        wrong = "an answer that was cut off" if cut else what_is_wrong(sentence)
        if wrong is None:
            return sentence
        shown = f" ({sentence[:60]!r} ...)" if sentence else ""
        raise UnusableAnswer(f"the language model {self._endpoint.model} gave {wrong}{shown}; try again or another one")


def _text_of(content: Any) -> str:
    """A message's text: the content itself, or its parts of text, in a row; some endpoints answer with parts."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    texts = (part.get("text") for part in content if isinstance(part, dict) and part.get("type", "text") == "text")
    return "".join(text for text in texts if isinstance(text, str))


def _body(response: requests.Response) -> bytes:
    """The answer's bytes, as many as an answer may have.

    Raises:
        requests.RequestException: the connection broke, or time is up: requests itself only limits the time between
            two bytes, so that a server that drips would hold us for ever.
    """
    body, deadline = bytearray(), time.monotonic() + _TIMEOUT[1]
    for byte in response.iter_content(1):
        body += byte
        if time.monotonic() > deadline:
            raise requests.ReadTimeout
        if len(body) > _LONGEST:
            break
    return bytes(body)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        return False
