"""How is a Prometheus reached: credentials, CA, proxy; and what does its silence or its no mean?

One `requests` session that never waits longer than told, never follows a redirect, never reads more than `LARGEST` bytes, and
raises only this project's errors, without secrets in them. What is asked is not known here.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
import urllib3
from requests.auth import HTTPBasicAuth

from serinus.errors import PlatformError, Refused, Unavailable
from serinus.redact import redact

LARGEST = 16 * 2**20
"""Bytes of one answer; a check needs about 200 kB at 200 pods."""
REFUSALS = frozenset({400, 401, 403, 404, 422})
CHUNK = 2**16
DEEPEST = 8
"""Layers of libraries between a reason and us, at most."""
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True, slots=True)
class Access:
    """What a Prometheus demands of its callers. Nothing of the environment is used: no proxy variable, no `.netrc`.

    Args:
        token: sent as `Authorization: Bearer`
        basic: user and password
        ca: path of a PEM file with the CA that signed its certificate; empty: the usual public ones
        headers: further ones, such as a tenant's
        proxy: address of an HTTP proxy, with credentials where it wants them
    """

    token: str = field(default="", repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    ca: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    proxy: str = field(default="", repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown, each also as it is sent."""
        pairs = [self.basic or ("", ""), _user(self.proxy)]
        passwords = [password for _, password in pairs]
        sent = [b64encode(f"{user}:{password}".encode()).decode() for user, password in pairs if password]
        return tuple(filter(None, (self.token, *passwords, *sent, *self.headers.values())))


def _user(url: str) -> tuple[str, str]:
    """User and password of an address as they are meant; empty where it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return unquote(parts.username or ""), unquote(parts.password or "")


def shown(url: str) -> str:
    """An address without its credentials and query."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "an address that cannot be read"
    return urlunsplit((parts.scheme, f"***@{host}" if "@" in parts.netloc else host, parts.path, "", ""))


def usable(url: str, access: Access) -> None:
    """Raise where no server could ever be reached so.

    Raises:
        Refused: what is wrong with the address, the CA file, a header or the proxy
    """
    for what, address in (("the Prometheus", url), ("the proxy", access.proxy)):
        if (address or what == "the Prometheus") and not _is_http(address):
            raise Refused(
                f"the address of {what} is {shown(address)!r}; right would be http://host:port or https://host:port"
            )
    if access.ca:
        try:
            ssl.create_default_context(cafile=access.ca)
        except OSError as cause:
            raise Refused(
                f"the CA file {access.ca} cannot be used: {cause.strerror or 'it holds no PEM certificate'}"
            ) from None
    for name, value in access.headers.items():
        if not HEADER_NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
            raise Refused(f"the header {name!r} cannot be sent: name and value must be printable ASCII")
    if access.token and not (access.token.isascii() and access.token.isprintable() and " " not in access.token):
        raise Refused("the token cannot be sent: it must be printable ASCII on one line, without spaces")
    if access.token and access.basic:
        raise Refused("a token and a password are both set: Prometheus takes one of them")


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not parts.query
    except ValueError:
        return False


class BoundedSession(requests.Session):
    """A session whose every answer is a successful one of the Prometheus API, whole and in time.

    Args:
        url: of the Prometheus, without `/api/v1`
        access: what it demands

    Raises:
        Refused: no server could be reached with these settings
    """

    def __init__(self, url: str, access: Access) -> None:
        usable(url, access)
        super().__init__()
        self.trust_env = False
        self.verify = access.ca or True
        self.proxies = {"http": access.proxy, "https": access.proxy} if access.proxy else {}
        self.headers.update({"User-Agent": "serinus", **access.headers})
        if access.token:
            self.headers["Authorization"] = f"Bearer {access.token}"
        if access.basic:
            user, password = access.basic
            self.auth = HTTPBasicAuth(user.encode(), password.encode())
        self._shown = shown(url)
        self._secrets = (*access.secrets, *Access(basic=_user(url)).secrets)
        self._heard = threading.local()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the last answer to this thread warned of, in Prometheus' words."""
        return getattr(self._heard, "warnings", ())

    def hide(self, text: str) -> str:
        """What the server, or a library, said, without our secrets."""
        return redact(text, self._secrets)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **how: Any) -> requests.Response:
        """As `requests` has it.

        Raises:
            Unavailable: no answer in time, or none that can be used
            Refused: it says no, in its own words
        """
        seconds = float(how["timeout"])
        deadline = time.monotonic() + seconds
        try:
            response = super().request(method, url, *args, **(how | {"stream": True, "allow_redirects": False}))
            try:
                # The library asks the response for its content: what was read within bounds is what it gets.
                response._content = self._read(response, deadline, seconds)
            finally:
                response.close()
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as cause:
            raise self._unreached(cause, seconds) from None
        self._heard.warnings = self._judged(response)
        return response

    def _read(self, response: requests.Response, deadline: float, seconds: float) -> bytes:
        """The body; each piece as it arrives, so that a server that drips is seen to be late."""
        body = bytearray()
        while piece := response.raw.read1(CHUNK, decode_content=True):
            body += piece
            if len(body) > LARGEST:
                raise Unavailable(f"{self._shown} answered with more than {LARGEST // 2**20} MiB")
            if time.monotonic() > deadline:
                raise Unavailable(f"{self._shown} did not finish its answer within {seconds:g} s")
        return bytes(body)

    def _judged(self, response: requests.Response) -> tuple[str, ...]:
        """The warnings of a successful answer; raises for any other."""
        status = response.status_code
        try:
            answer = json.loads(response.content)
        except (ValueError, RecursionError):
            answer = None
        told = answer if isinstance(answer, dict) else {}
        if status in REFUSALS:
            raise Refused(f"{self._shown} refuses ({status}): {self._words(told, response)}")
        if 300 <= status < 400:
            there = self.hide(shown(response.headers.get("Location", ""))) or "nowhere"
            raise Unavailable(f"{self._shown} sends us on to {there} ({status}); name the address that answers itself")
        if status != 200:
            raise Unavailable(f"{self._shown} answered {status}: {self._words(told, response)}")
        if told.get("status") != "success" or not isinstance(told.get("data"), dict):
            raise Unavailable(f"{self._shown} does not answer as a Prometheus does: {self._words(told, response)}")
        warnings = told.get("warnings")
        return tuple(self.hide(str(warning)) for warning in warnings) if isinstance(warnings, list) else ()

    def _words(self, told: Mapping[str, Any], response: requests.Response) -> str:
        """What it said, on one line, short, without our secrets."""
        text = self.hide(str(told.get("error") or response.content[:2000].decode(errors="replace")))
        text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
        return (text if len(text) <= 300 else f"{text[:300]}...") or "nothing"

    def _unreached(self, cause: Exception, seconds: float) -> PlatformError:
        said = str(cause)
        if isinstance(cause, requests.Timeout | TimeoutError | urllib3.exceptions.TimeoutError) or "timed out" in said:
            return Unavailable(f"{self._shown} did not answer within {seconds:g} s")
        if "CERTIFICATE_VERIFY_FAILED" in said:
            why = said.partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or "it cannot be verified"
            return Refused(f"the certificate of {self._shown} is not accepted: {why}; name its CA in `ca`")
        if isinstance(cause, requests.exceptions.ProxyError):
            return Unavailable(f"the proxy before {self._shown} does not let us through: {_reason(cause)}")
        return Unavailable(f"{self._shown} cannot be reached: {_reason(cause)}")


def _reason(cause: BaseException) -> str:
    """The innermost reason, in the system's words where it has some."""
    inner = cause
    for _ in range(DEEPEST):
        inner = _deeper(inner) or inner
    words = inner.strerror if isinstance(inner, OSError) else ""
    return words.lower() if words else type(inner).__name__


def _deeper(cause: BaseException) -> BaseException | None:
    """What lies below: the libraries keep it in an attribute, among the arguments, or in the chain."""
    below = (getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__)
    return next((one for one in below if isinstance(one, BaseException)), None)
