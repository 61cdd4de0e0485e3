"""Each access setting against a server that demands it; nothing of the environment; no secret shown."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from serinus.errors import PlatformError, Refused, Unavailable
from serinus.metrics.access import Access, shown
from serinus.metrics.prometheus import PrometheusMetrics
from serinus.metrics.sources import envoy
from tests.metrics.demanding import NOW, Asked, a_reading, answer, basic, forward, good, if_it_has, own_ca, serving

SECRET = "s3cr3t-pässword".encode("ascii", "ignore").decode()


def metrics(url: str, access: Access | None = None) -> PrometheusMetrics:
    return PrometheusMetrics(url, envoy("shop"), access=access, timeout_seconds=2.0)


@pytest.mark.parametrize(
    ("demanded", "access"),
    [
        ({"Authorization": f"Bearer {SECRET}"}, Access(token=SECRET)),
        ({"Authorization": basic("ann", "pässword")}, Access(basic=("ann", "pässword"))),
        ({"X-Scope-OrgID": "shop"}, Access(headers={"X-Scope-OrgID": "shop"})),
        (
            {"Authorization": f"Bearer {SECRET}", "X-Scope-OrgID": "shop"},
            Access(token=SECRET, headers={"X-Scope-OrgID": "shop"}),
        ),
    ],
    ids=["token", "basic", "tenant", "token and tenant"],
)
async def test_a_setting_is_sent_and_its_lack_is_a_refusal(demanded: dict[str, str], access: Access) -> None:
    with serving(if_it_has(demanded)) as server:
        assert (await metrics(server.url, access).read()).targets == {"envoy:9901": True}
        with pytest.raises(Refused, match=r"refuses \(401\): .* is not as it must be"):
            await metrics(server.url).read()


async def test_a_user_in_the_address_is_sent_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(if_it_has({"Authorization": basic("ann", SECRET)})) as server:
        await metrics(server.url.replace("://", f"://ann:{SECRET}@")).read()
        with pytest.raises(Refused) as refusal:
            await metrics(server.url.replace("://", f"://bob:{SECRET}@")).read()
    assert SECRET not in str(refusal.value) + caplog.text
    assert "***@127.0.0.1" in str(refusal.value)


async def test_its_own_ca_is_enough_and_without_it_the_certificate_is_refused(tmp_path: Path) -> None:
    ca, context = own_ca(tmp_path)
    with serving(good, context) as server:
        assert (await metrics(server.url, Access(ca=str(ca))).read()).counters
        with pytest.raises(Refused, match=r"certificate of https://127\.0\.0\.1:\d+ is not accepted: .*`ca`"):
            await metrics(server.url).read()


async def test_another_ca_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other, _ = own_ca(tmp_path / "other")
    _, context = own_ca(tmp_path)
    with serving(good, context) as server, pytest.raises(Refused, match="is not accepted"):
        await metrics(server.url, Access(ca=str(other))).read()


async def test_a_proxy_is_used_and_gets_its_credentials() -> None:
    demanded = {"Proxy-Authorization": basic("ann", SECRET)}
    with serving(if_it_has({"Via": "1.1 test"})) as server, serving(if_it_has(demanded, forward)) as proxy:
        address = proxy.url.replace("://", f"://ann:{SECRET}@")
        assert (await metrics(server.url, Access(proxy=address)).read()).counters
        assert proxy.seen
        assert "Proxy-Authorization" not in server.seen[0][1]
        with pytest.raises(PlatformError, match="Proxy-Authorization is not as it must be"):
            await metrics(server.url, Access(proxy=proxy.url)).read()


async def test_a_proxy_tunnels_to_a_server_with_tls(tmp_path: Path) -> None:
    ca, context = own_ca(tmp_path)
    demanded = {"Proxy-Authorization": basic("ann", SECRET)}
    with serving(good, context) as server, serving(if_it_has(demanded, forward)) as proxy:
        address = proxy.url.replace("://", f"://ann:{SECRET}@")
        token = Access(token="t0ken", ca=str(ca), proxy=address)
        assert (await metrics(server.url, token).read()).counters
        assert server.seen[0][1]["Authorization"] == "Bearer t0ken"
        assert all("Authorization" not in headers for _, headers in proxy.seen)
        with pytest.raises(
            Unavailable, match=r"the proxy before https://127\.0\.0\.1:\d+ does not let us through"
        ) as said:
            await metrics(server.url, Access(ca=str(ca), proxy=proxy.url)).read()
    assert SECRET not in str(said.value)


async def test_a_proxy_that_is_not_there_is_named_as_the_trouble() -> None:
    with serving(good) as server, pytest.raises(Unavailable, match=r"the proxy before .* connection refused"):
        await metrics(server.url, Access(proxy="http://127.0.0.1:9")).read()
    assert not server.seen


async def test_nothing_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password stolen\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving(good) as server:
        await metrics(server.url).read()
    assert "Authorization" not in server.seen[0][1]


async def test_a_secret_that_the_server_repeats_is_not_shown() -> None:
    def repeat(asked: Asked) -> None:
        asked.say(403, f"no right: {asked.headers['Authorization']}".encode())

    with serving(repeat) as server, pytest.raises(Refused, match=r"refuses \(403\): no right: Bearer \*\*\*"):
        await metrics(server.url, Access(token=SECRET)).read()


PASSWORD = 'p"ä/ s'
SENT = basic("ann", PASSWORD).removeprefix("Basic ")
WRITTEN = (PASSWORD, SENT, quote(PASSWORD, safe=""), json.dumps(PASSWORD)[1:-1])


def garbage(said: str) -> bytes:
    """A Prometheus's form, and a value that is none: the library's own error repeats it."""
    return answer([{"metric": {"figure": "now"}, "value": [NOW, said]}])


REPEATING: dict[str, Callable[[Asked, str], None]] = {
    "refuses": lambda asked, said: asked.say(403, said.encode()),
    "fails": lambda asked, said: asked.say(500, json.dumps({"status": "error", "error": said}).encode()),
    "sends on": lambda asked, said: asked.say(302, b"", Location=f"http://h/{quote(said)}"),
    "warns": lambda asked, said: asked.say(200, answer(a_reading(), warnings=[said])),
    "answers garbage": lambda asked, said: asked.say(200, garbage(said)),
    "answers no JSON": lambda asked, said: asked.say(200, said.encode()),
}
"""Servers that repeat what they were sent wherever they can."""


@pytest.mark.parametrize("said", WRITTEN, ids=["plain", "as sent", "in an address", "in JSON"])
@pytest.mark.parametrize("kind", REPEATING)
async def test_a_password_that_comes_back_in_any_form_reaches_neither_words_nor_log(
    kind: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    repeating = REPEATING[kind]
    with serving(lambda asked: repeating(asked, f"you said {said} to me")) as server:
        async with metrics(server.url, Access(basic=("ann", PASSWORD))) as asked:
            try:
                await asked.read()
                words = " ".join(asked.warnings)
                assert words == "you said *** to me"
            except PlatformError as error:
                words = "".join(traceback.format_exception(error))
            words += " ".join(finding.what for finding in await asked.findings())
    assert server.seen
    for form in WRITTEN:
        assert form not in words + caplog.text


def test_secrets_are_not_in_the_settings_text() -> None:
    access = Access(SECRET, ("ann", SECRET), "/ca.pem", {"X-Scope-OrgID": SECRET}, f"http://ann:{SECRET}@proxy")
    assert SECRET not in repr(access)


@pytest.mark.parametrize(
    "url", ["", "prometheus:9090", "ftp://prometheus", "http://", "http://host:99999", "http://[::1", "/etc"]
)
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(Refused, match="right would be http://host:port"):
        metrics(url)


def test_settings_that_cannot_be_used_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for access, words in (
        (Access(ca=str(tmp_path / "none.pem")), "none.pem cannot be used: No such file"),
        (Access(ca=str(tmp_path / "empty.pem")), "empty.pem cannot be used"),
        (Access(ca=str(tmp_path)), "cannot be used"),
        (Access(proxy="socks5://p:1"), "the address of the proxy"),
        (Access(headers={"X-Org": "a\nb"}), "the header 'X-Org' cannot be sent"),
        (Access(token="a b"), "the token cannot be sent"),
        (Access(token="a", basic=("b", "c")), "both set"),
    ):
        with pytest.raises(Refused, match=words):
            metrics("http://127.0.0.1:9090", access)


def test_addresses_are_shown_without_credentials_and_query() -> None:
    assert shown("https://a:b@host:1/p?token=c") == "https://***@host:1/p"
    assert shown("http://host:9090") == "http://host:9090"
