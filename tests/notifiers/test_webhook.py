"""What a webhook gets, what counts as told, and that its address stays secret."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
import traceback
from collections.abc import Callable, Iterator

import httpx
import pytest

from serinus.errors import Refused, Unavailable
from serinus.notifiers.webhook import ATTEMPTS, WebhookNotifier
from tests.metrics.demanding import Asked, basic, serving
from tests.notifiers.notices import a_notice

SECRET = "T0K3N"
Behave = Callable[[Asked], None]


def webhook(url: str) -> WebhookNotifier:
    return WebhookNotifier(url.replace("://", f"://ann:{SECRET}@") + f"/services/{SECRET}?key={SECRET}", 0.3, 0.01)


def says(status: int, **headers: str) -> Behave:
    return lambda asked: asked.say(status, b"" if status == 204 else b"said", **headers)


def hang(asked: Asked) -> None:
    asked.server.released.wait(30)


def drip(asked: Asked) -> None:
    asked.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not asked.server.released.wait(0.02):
        asked.wfile.write(b"x")


def garbage(asked: Asked) -> None:
    asked.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    asked.close_connection = True


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_it_posts_the_notice(status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(says(status)) as server:
        async with webhook(server.url) as hook:
            await hook.tell(a_notice("rolled back at 5 %", urgent=True))
    assert [json.loads(body) for body in server.bodies] == [
        {"service": "shop", "release": "r1", "text": "rolled back at 5 %", "id": "r1/7", "urgent": True}
    ]
    path, headers = server.seen[0]
    assert path == f"/services/{SECRET}?key={SECRET}"
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == basic("ann", SECRET)
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("behave", "words", "attempts"),
    [
        (says(500), "answered 500", ATTEMPTS),
        (says(503, Retry_After="60"), "answered 503", ATTEMPTS),
        (says(429), "answered 429", ATTEMPTS),
        (says(404), "does not take the notice: it answered 404", 1),
        (says(302, Location="/elsewhere"), "does not take the notice: it answered 302", 1),
        (hang, "did not answer within 0.3 s", ATTEMPTS),
        (drip, "did not answer within 0.3 s", ATTEMPTS),
        (garbage, "cannot be reached: RemoteProtocolError", ATTEMPTS),
    ],
    ids=["500", "503", "429", "404", "302", "hang", "drip", "garbage"],
)
async def test_what_is_not_2xx_is_unavailable_in_time_and_shows_no_secret(
    behave: Behave, words: str, attempts: int
) -> None:
    with serving(behave) as server:
        began = time.monotonic()
        with pytest.raises(Unavailable, match=words) as said:
            await webhook(server.url).tell(a_notice())
        assert time.monotonic() - began < 5 * ATTEMPTS * 0.4
        assert len(server.seen) == attempts
    assert SECRET not in str(said.value)
    assert server.url in str(said.value)


async def test_nobody_listening() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unavailable, match=rf"webhook http://127\.0\.0\.1:{port} cannot be reached: ConnectError"):
        await webhook(f"http://127.0.0.1:{port}").tell(a_notice())


async def test_a_librarys_own_words_are_said_without_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = webhook("http://127.0.0.1:1")

    async def fails(request: httpx.Request) -> httpx.Response:
        raise ValueError(f"cannot use {request.url}, nor {SECRET}, nor {request.headers['Authorization']}")

    monkeypatch.setattr(hook._transport, "handle_async_request", fails)
    with pytest.raises(Unavailable, match=r"webhook http://127\.0\.0\.1:1 cannot be told: ValueError: cannot") as said:
        await hook.tell(a_notice())
    told = "".join(traceback.format_exception(said.value))
    assert SECRET not in told
    assert basic("ann", SECRET).removeprefix("Basic ") not in told


async def test_what_fails_once_is_sent_again_under_the_same_id() -> None:
    answers: Iterator[Behave] = iter((says(500), garbage, says(200)))
    with serving(lambda asked: next(answers)(asked)) as server:
        await webhook(server.url).tell(a_notice())
    assert {json.loads(body)["id"] for body in server.bodies} == {"r1/7"}
    assert len(server.bodies) == 3


async def test_a_cancelled_notice_is_over_at_once() -> None:
    with serving(hang) as server:
        telling = asyncio.create_task(WebhookNotifier(server.url, 30.0).tell(a_notice()))
        assert await asyncio.to_thread(server.arrived.acquire, timeout=10)
        telling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await telling


@pytest.mark.parametrize(
    "url", ["", "hooks.example.org/x", "ftp://h/x", "https://", "http://h:99999/", "http://[::1", "http://h/a\nb"]
)
def test_what_is_no_address_is_refused_at_once_and_not_shown(url: str) -> None:
    with pytest.raises(Refused, match=r"^the address of a webhook cannot be used; right would be https://host/path$"):
        WebhookNotifier(url)
