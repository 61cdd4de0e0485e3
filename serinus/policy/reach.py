"""Can the addresses in a policy be what their writer meant, and are its secrets kept out of it? Telemetry and notices.

Connects to nothing: whether anybody answers there is a preflight's question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from serinus.errors import Problem
from serinus.policy import secret
from serinus.policy.model import Content
from serinus.policy.telemetry import Prometheus

_SECRET_HEADER = re.compile(r"authorization|cookie|token|secret|password|api-?key", re.IGNORECASE)
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
RIGHT_NAME = "write the variable as ${NAME}"


def telemetry_problems(content: Content) -> Iterator[Problem]:
    """What cannot be meant in `telemetry`."""
    server = content.telemetry.prometheus
    if server is None:
        return
    where = "telemetry.prometheus"
    yield from _address(f"{where}.url", server.url)
    if server.proxy is not None:
        yield from _address(f"{where}.proxy", server.proxy)
    if server.token is not None and server.basic is not None:
        yield Problem(f"{where}.token", "stands beside basic", "keep one of the two")
    if server.ca is not None and server.url.startswith("http://"):
        yield Problem(
            f"{where}.ca", "a certificate authority for an http:// address", "write https://, or leave ca out"
        )
    for key in server.headers:
        if not _HEADER.fullmatch(key):
            yield Problem(f"{where}.headers.{key}", "is no header name", "write letters, digits and dashes")
    for path, text in _texts(server):
        if secret.malformed(text):
            yield Problem(f"{where}.{path}", "a `$` that begins no ${NAME}", RIGHT_NAME)
        if any(ord(letter) < 32 for letter in text) or not text:
            yield Problem(f"{where}.{path}", "is empty or has control characters", "write it in one line")


def notify_problems(content: Content) -> Iterator[Problem]:
    """What cannot be meant in `notify`."""
    for index, text in enumerate(content.notify):
        where = f"notify[{index}]"
        if secret.malformed(text):
            yield Problem(where, "a `$` that begins no ${NAME}", RIGHT_NAME)
        elif text != "log":
            yield from _address(where, text, "write `log`, or a webhook's address with http:// or https://")


def warnings(content: Content) -> Iterator[Problem]:
    """Secrets that are written out: whoever reads the file, the API or the history has them."""
    server = content.telemetry.prometheus
    right = "write ${NAME} and set that variable"
    if server is not None:
        kept = {"token": server.token, "basic.password": server.basic.password if server.basic else None}
        kept |= {f"headers.{key}": value for key, value in server.headers.items() if _SECRET_HEADER.search(key)}
        for path, value in kept.items():
            if value is not None and not secret.names(value):
                yield Problem(f"telemetry.prometheus.{path}", "a secret is written out", right)
    addresses = {f"notify[{index}]": text for index, text in enumerate(content.notify)}
    addresses |= {"telemetry.prometheus.url": server.url} if server is not None else {}
    for where, text in addresses.items():
        if text.startswith("${"):
            continue
        parts = urlsplit(text)
        if (parts.password and not secret.names(parts.password)) or parts.hostname == "hooks.slack.com":
            yield Problem(where, "a secret is written out in an address", right)


def _texts(server: Prometheus) -> Iterator[tuple[str, str]]:
    plain = {"url": server.url, "token": server.token, "ca": server.ca, "proxy": server.proxy}
    plain |= {"basic.user": server.basic.user, "basic.password": server.basic.password} if server.basic else {}
    plain |= {f"headers.{key}": value for key, value in server.headers.items()}
    yield from ((path, text) for path, text in plain.items() if text is not None)


def _address(where: str, text: str, right: str = "write an address with http:// or https://") -> Iterator[Problem]:
    if text.startswith("${"):
        return
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or re.search(r"\s", text):
        yield Problem(where, "is no address", right)
