"""What no healthy API server shows: one that is slow, overloaded, broken or gone; a token that is not accepted."""

from __future__ import annotations

import asyncio
import datetime
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import certifi
import pytest
from kubernetes.aio.config import incluster_config, kube_config

from serinus.errors import Missing, PlatformError, Refused, Unavailable
from serinus.kube import connecting, wire
from serinus.kube.client import CONFIG_MAP, Kube
from serinus.kube.connecting import connect
from serinus.kube.errors import Nowhere
from serinus.kube.patch import put
from serinus.kube.wire import READ_CALLS, READS

Answer = Callable[[str], "tuple[int, bytes] | None"]
"""What is said to a request, given whole; None: nothing, ever."""
LONG = 2.0
"""A time-out in which a busy machine asks more than once."""


@asynccontextmanager
async def a_server(
    answer: Answer, folder: Path, user: object = None, said_with: str = "", seconds: float = 0.3
) -> AsyncIterator[Kube]:
    """A server that speaks HTTP and knows nothing of Kubernetes, and its client.

    Args:
        seconds: time-out of a call
        said_with: header lines of every answer
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0)
        said = answer(head + (await reader.readexactly(length)).decode())
        if said is None:
            await reader.read()
        else:
            head = f"HTTP/1.1 {said[0]} X\r\nconnection: close\r\n{said_with}content-length: {len(said[1])}\r\n\r\n"
            writer.write(head.encode() + said[1])
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    kube = await connect(str(a_kubeconfig(folder, server.sockets[0].getsockname()[1], user)), seconds=seconds)
    try:
        yield kube
    finally:
        await kube.aclose()
        server.close()


def a_kubeconfig(folder: Path, port: int, user: object = None) -> Path:
    file = folder / "kubeconfig"
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": user or {"token": "secret"}}],
    }
    file.write_text(json.dumps(whole))
    return file


@pytest.mark.parametrize("code", [429, 500, 502, 503])
async def test_later_is_unavailable(tmp_path: Path, code: int) -> None:
    async with a_server(lambda _: (code, b"later"), tmp_path) as kube:
        with pytest.raises(Unavailable, match=f"get configmaps x in namespace shop.*{code}"):
            await kube.get(CONFIG_MAP, "x")


async def test_no_answer_in_time_is_unavailable(tmp_path: Path) -> None:
    async with a_server(lambda _: None, tmp_path) as kube:
        with pytest.raises(Unavailable, match="did not answer within 0.3 s"):
            await kube.patch(CONFIG_MAP, "x", [put("/data", {})])


async def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    kube = await connect(str(a_kubeconfig(tmp_path, 9)))
    with pytest.raises(Unavailable, match="no connection to http://127.0.0.1:9"):
        await kube.find(CONFIG_MAP, "x")
    await kube.aclose()


@pytest.mark.parametrize("body", [b"<html>welcome</html>", b"[]", b"\xff"])
async def test_what_is_no_api_server_is_unavailable(tmp_path: Path, body: bytes) -> None:
    async with a_server(lambda _: (200, body), tmp_path) as kube:
        with pytest.raises(Unavailable, match="answer is no"):
            await kube.get(CONFIG_MAP, "x")


async def test_a_token_is_sent_and_a_bad_one_is_said_and_never_shown(tmp_path: Path) -> None:
    seen: list[str] = []

    def unauthorized(request: str) -> tuple[int, bytes]:
        seen.append(request)
        return 401, b"{}"

    async with a_server(unauthorized, tmp_path) as kube:
        with pytest.raises(Unavailable, match="token is wrong or has expired") as refused:
            await kube.get(CONFIG_MAP, "x")
    assert "authorization: bearer secret" in seen[0].lower()
    assert "secret" not in str(refused.value)


async def test_an_expired_token_is_asked_for_anew_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("0")
    program = tmp_path / "token.sh"
    status = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}'
    program.write_text(f"n=$(($(cat {count}) + 1)); echo $n > {count}; printf '{status}' \"t$n\"\n")
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": [str(program)]}}

    def second_alone(request: str) -> tuple[int, bytes]:
        return (200, b"{}") if "Bearer t2" in request else (401, b"{}")

    async with a_server(second_alone, tmp_path, user) as kube:
        assert await kube.get(CONFIG_MAP, "x") == {}
    assert count.read_text().strip() == "2"


def accepting(token: str) -> Answer:
    """A server that lets in who shows this one."""
    return lambda request: (200, b"{}") if f"Bearer {token}\r\n" in request else (401, b"{}")


def rewritten(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    said = json.loads(file.read_text())
    change(said)
    file.write_text(json.dumps(said))


async def test_a_token_that_was_renewed_in_the_kubeconfig_is_used(tmp_path: Path) -> None:
    """`kubectl create token` gives one for an hour; a release may last longer."""
    async with a_server(accepting("second"), tmp_path, {"token": "first"}) as kube:
        with pytest.raises(Unavailable, match="token is wrong or has expired"):
            await kube.get(CONFIG_MAP, "x")
        rewritten(tmp_path / "kubeconfig", lambda said: said["users"][0].update(user={"token": "second"}))
        assert await kube.get(CONFIG_MAP, "x") == {}


async def test_whatever_is_current_by_then_a_token_is_renewed_for_the_cluster_that_was_meant(tmp_path: Path) -> None:
    def moved_on(said: dict[str, Any]) -> None:
        said["contexts"].append({"name": "else", "context": {"cluster": "d", "user": "v"}})
        said["clusters"].append({"name": "d", "cluster": {"server": "http://127.0.0.1:9"}})
        said["users"] = [{"name": "v", "user": {"token": "other"}}, {"name": "u", "user": {"token": "second"}}]
        said["current-context"] = "else"

    async with a_server(accepting("second"), tmp_path, {"token": "first"}) as kube:
        rewritten(tmp_path / "kubeconfig", moved_on)
        assert await kube.get(CONFIG_MAP, "x") == {}


async def test_a_context_that_leads_elsewhere_by_now_gives_no_token(tmp_path: Path) -> None:
    def elsewhere(said: dict[str, Any]) -> None:
        said["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:9"
        said["users"][0]["user"]["token"] = "second"

    async with a_server(accepting("second"), tmp_path, {"token": "first"}) as kube:
        rewritten(tmp_path / "kubeconfig", elsewhere)
        with pytest.raises(
            Unavailable, match="gives no new token: its context here leads to http://127.0.0.1:9 by now"
        ):
            await kube.get(CONFIG_MAP, "x")


async def test_a_kubeconfig_that_is_being_written_gives_its_token_later(tmp_path: Path) -> None:
    async with a_server(accepting("second"), tmp_path, {"token": "first"}) as kube:
        file = tmp_path / "kubeconfig"
        whole = file.read_text()
        for torn in ("", whole[:40], "{}"):
            file.write_text(torn)
            with pytest.raises(Unavailable, match="gives no new token"):
                await kube.get(CONFIG_MAP, "x")
        file.write_text(whole.replace("first", "second"))
        assert await kube.get(CONFIG_MAP, "x") == {}


async def test_a_file_with_a_token_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    async with a_server(accepting("second"), tmp_path, {"tokenFile": str(file)}) as kube:
        with pytest.raises(Unavailable, match="token is wrong or has expired"):
            await kube.get(CONFIG_MAP, "x")
        file.write_text("second\n")
        assert await kube.get(CONFIG_MAP, "x") == {}


async def test_a_kubeconfig_that_gives_no_token_in_time_may_give_one_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has given one before: what its program asks may be away together with the server, and that is no missing right."""

    async def never(loader: object, configuration: object) -> None:
        await asyncio.Event().wait()

    async with a_server(lambda _: (401, b"{}"), tmp_path) as kube:
        monkeypatch.setattr(kube_config.KubeConfigLoader, "load_and_set", never)
        monkeypatch.setattr(wire, "CREDENTIAL_SECONDS", 0.2)
        with pytest.raises(Unavailable, match="gives no new token"):
            await kube.get(CONFIG_MAP, "x")


NOT_FOUND = json.dumps({"kind": "Status", "message": 'configmaps "x" not found'}).encode()


@pytest.mark.parametrize(("code", "kind"), [(404, Nowhere), (403, Missing), (500, Missing), (200, Missing)])
async def test_a_namespace_that_is_not_there_is_told_in_place_of_what_would_be_in_it(
    tmp_path: Path, code: int, kind: type[Refused]
) -> None:
    def answer(request: str) -> tuple[int, bytes]:
        return (code, NOT_FOUND) if request.startswith("GET /api/v1/namespaces/shop ") else (404, NOT_FOUND)

    async with a_server(answer, tmp_path) as kube:
        with pytest.raises(Refused) as refused:
            await kube.get(CONFIG_MAP, "x")
        assert await kube.find(CONFIG_MAP, "x") is None
    assert type(refused.value) is kind
    assert ("namespace shop does not exist" in str(refused.value)) is (kind is Nowhere)


async def test_names_are_quoted_and_writes_carry_their_manager(tmp_path: Path) -> None:
    seen: list[str] = []

    def answer(request: str) -> tuple[int, bytes]:
        seen.append(request)
        return 200, b"{}"

    async with a_server(answer, tmp_path) as kube:
        await kube.patch(CONFIG_MAP, "../../secrets/x", [put("/data", {})], dry_run=True)
    line = seen[0].splitlines()[0]
    assert line.startswith("PATCH /api/v1/namespaces/shop/configmaps/..%2F..%2Fsecrets%2Fx?")
    assert {"fieldManager=serinus", "dryRun=All"} <= set(line.split()[1].partition("?")[2].split("&"))
    assert "application/json-patch+json" in seen[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "no cluster"), ("{", "no cluster"), ('{"contexts": [], "current-context": "x"}', "no cluster")],
)
async def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "broken"
    file.write_text(text)
    with pytest.raises(Refused, match=f"broken names {words}"):
        await connect(str(file))


async def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no kubeconfig at .*/nowhere"):
        await connect(str(tmp_path / "nowhere"))


async def test_a_context_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    file = a_kubeconfig(tmp_path, 9)
    with pytest.raises(Refused) as refused:
        await connect(str(file), context="prod")
    assert str(refused.value) == f"{file} has no context prod: it has here"
    other = tmp_path / "other"
    other.write_text(file.read_text().replace('"here"', '"test"'))
    with pytest.raises(Refused, match="has no context prod: it has here, test"):
        await connect(f"{file}:{other}", context="prod")


async def test_where_no_context_is_current_those_that_could_be_named_are_told(tmp_path: Path) -> None:
    file = a_kubeconfig(tmp_path, 9)
    file.write_text(file.read_text().replace('"current-context": "here"', '"current-context": ""'))
    with pytest.raises(Refused, match="has no current context: it has here"):
        await connect(str(file))


async def test_a_namespace_of_one_s_own_goes_before_the_context_s(tmp_path: Path) -> None:
    kubes: Sequence[Kube] = [
        await connect(str(a_kubeconfig(tmp_path, 9))),
        await connect(str(a_kubeconfig(tmp_path, 9)), namespace="else"),
    ]
    assert [kube.namespace for kube in kubes] == ["shop", "else"]
    for kube in kubes:
        await kube.aclose()


def in_a_pod(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kubelet gives a pod its account; nobody answers at the address of the API server."""
    for name, text in {
        "token": "of-the-pod",
        "namespace": "shop\n",
        "ca.crt": Path(certifi.where()).read_text(),
    }.items():
        (folder / name).write_text(text)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(folder / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(folder / "ca.crt"))
    monkeypatch.setattr(connecting, "_POD", folder / "namespace")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "9")


async def test_the_token_that_the_kubelet_renews_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every hour, long before the old one ends: the client looks once a minute."""
    shown, now = list[str](), datetime.datetime(2026, 11, 24)

    async def showing(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        shown.append(request.headers["authorization"])
        return await handler(request)

    in_a_pod(tmp_path, monkeypatch)
    monkeypatch.setattr(connecting, "as_go", showing)
    clock = SimpleNamespace(datetime=SimpleNamespace(now=lambda: now), timedelta=datetime.timedelta)
    monkeypatch.setattr(incluster_config, "datetime", clock)
    kube = await connect()
    for minutes in (0, 1):
        now += datetime.timedelta(minutes=minutes)
        with pytest.raises(Unavailable):
            await kube.patch(CONFIG_MAP, "x", [])
        (tmp_path / "token").write_text("renewed")
    await kube.aclose()
    assert shown == ["bearer of-the-pod", "bearer renewed"]


async def test_in_a_pod_the_pod_s_own_account_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_pod(tmp_path, monkeypatch)
    kube = await connect()
    assert kube.namespace == "shop"
    with pytest.raises(Unavailable, match="no connection to https://127.0.0.1:9"):
        await kube.get(CONFIG_MAP, "x")
    await kube.aclose()
    monkeypatch.setenv("KUBECONFIG", str(a_kubeconfig(tmp_path, 7)))
    named = await connect()
    with pytest.raises(Unavailable, match="no connection to http://127.0.0.1:7"):
        await named.get(CONFIG_MAP, "x")
    await named.aclose()


async def test_a_pod_without_its_account_is_said_to_be_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "none"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "9")
    with pytest.raises(Refused, match="the service account of this pod names no cluster.*token file does not exist"):
        await connect()


async def test_a_body_is_written_as_go_writes_it(tmp_path: Path) -> None:
    heard = list[str]()

    def answer(request: str) -> tuple[int, bytes]:
        heard.append(request.partition("\r\n\r\n")[2])
        return 200, b"{}"

    value = 'a <b> & \u00e9 \u2028 \\u003c "'
    async with a_server(answer, tmp_path) as kube:
        await kube.patch(CONFIG_MAP, "shop", [put("/data/x", value)])
    [said] = heard
    assert json.loads(said)[0]["value"] == value
    assert "a \\u003cb\\u003e \\u0026 \u00e9 \\u2028" in said


async def test_a_right_that_was_there_may_come_back(tmp_path: Path) -> None:
    """A server that has just started knows no role yet."""
    said = {"kind": "Status", "message": 'configmaps "x" is forbidden: User "u" cannot get resource "configmaps"'}
    answers = {
        "x": iter([(200, b"{}"), (403, json.dumps(said).encode())]),
        "y": iter([(403, json.dumps(said).encode())]),
    }
    async with a_server(lambda asked: next(answers[asked.split(" ")[1][-1]]), tmp_path) as kube:
        await kube.get(CONFIG_MAP, "x")
        with pytest.raises(
            Unavailable, match="the right to get configmaps x in namespace shop is missing.*there before"
        ):
            await kube.get(CONFIG_MAP, "x")
        with pytest.raises(Refused, match="the right to get configmaps y"):
            await kube.get(CONFIG_MAP, "y")


async def test_a_right_that_does_not_come_back_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a guard whose right was taken away would wait for ever, and page nobody."""
    said = {"kind": "Status", "message": 'configmaps "x" is forbidden: User "u" cannot get resource "configmaps"'}
    denied = (403, json.dumps(said).encode())
    answers = iter([(200, b"{}"), denied, denied, (200, b"{}"), denied])
    async with a_server(lambda _: next(answers), tmp_path) as kube:
        await kube.get(CONFIG_MAP, "x")
        with pytest.raises(Unavailable, match="there before"):
            await kube.get(CONFIG_MAP, "x")
        monkeypatch.setattr(wire, "COMES_BACK_SECONDS", 0.0)
        with pytest.raises(Refused, match="the right to get configmaps x in namespace shop is missing"):
            await kube.get(CONFIG_MAP, "x")
        monkeypatch.undo()
        await kube.get(CONFIG_MAP, "x")
        with pytest.raises(Unavailable, match="there before"):
            await kube.get(CONFIG_MAP, "x")


def wrong_at_first(times: int, *said: tuple[int, bytes] | None) -> tuple[list[str], Answer]:
    """What was asked; and a server that says this so many times, and then what is right."""
    heard = list[str]()

    def answer(request: str) -> tuple[int, bytes] | None:
        heard.append(request.partition(" ")[0])
        return said[len(heard) % len(said)] if len(heard) <= times else (200, b"{}")

    return heard, answer


@pytest.mark.parametrize("said", [(429, b""), (500, b"{}"), (503, b"later")])
async def test_a_question_is_asked_again_at_once(tmp_path: Path, said: tuple[int, bytes]) -> None:
    heard, answer = wrong_at_first(2, said)
    async with a_server(answer, tmp_path, seconds=LONG) as kube:
        assert await kube.get(CONFIG_MAP, "x") == {}
    assert heard == ["GET"] * 3


async def test_a_question_is_asked_a_few_times_and_no_longer(tmp_path: Path) -> None:
    heard, answer = wrong_at_first(99, (500, b"broken"))
    began = time.monotonic()
    async with a_server(answer, tmp_path) as kube:
        with pytest.raises(Unavailable, match="500: broken"):
            await kube.get(CONFIG_MAP, "x")
    assert 1 < len(heard) <= READS
    assert time.monotonic() - began < READ_CALLS * 0.3 + 2


async def test_a_question_that_is_not_answered_in_time_is_asked_once_more(tmp_path: Path) -> None:
    heard, answer = wrong_at_first(1, None)
    async with a_server(answer, tmp_path, seconds=LONG) as kube:
        assert await kube.get(CONFIG_MAP, "x") == {}
    assert heard == ["GET"] * 2
    heard, answer = wrong_at_first(99, None)
    began = time.monotonic()
    async with a_server(answer, tmp_path) as kube:
        with pytest.raises(Unavailable, match="did not answer within"):
            await kube.get(CONFIG_MAP, "x")
    assert time.monotonic() - began < READ_CALLS * 0.3 + 2


async def test_whether_something_is_allowed_is_a_question_too(tmp_path: Path) -> None:
    heard, answer = wrong_at_first(2, (500, b""))
    async with a_server(answer, tmp_path, seconds=LONG) as kube:
        assert not await kube.may("get", CONFIG_MAP)
    assert heard == ["POST"] * 3


@pytest.mark.parametrize("said", [(429, b""), (500, b"{}"), None])
async def test_a_write_is_sent_once(tmp_path: Path, said: tuple[int, bytes] | None) -> None:
    heard, answer = wrong_at_first(1, said)
    async with a_server(answer, tmp_path) as kube:
        with pytest.raises(Unavailable):
            await kube.patch(CONFIG_MAP, "x", [put("/data", {})])
        heard.clear()
        with pytest.raises(Unavailable):
            await kube.delete(CONFIG_MAP, "x", "uid")
    assert heard == ["DELETE"]


@pytest.mark.parametrize("said", [(403, b"{}"), (404, b"{}"), (409, b"{}")])
async def test_an_answer_that_stands_is_not_asked_for_again(tmp_path: Path, said: tuple[int, bytes]) -> None:
    heard, answer = wrong_at_first(1, said)
    async with a_server(answer, tmp_path) as kube:
        with pytest.raises(PlatformError):
            await kube.get(CONFIG_MAP, "x")
    assert heard == ["GET"]


@pytest.mark.parametrize(("after", "calls"), [("0", 2), ("60", 1), ("Fri, 01 Jan 2100 00:00:00 GMT", 2)])
async def test_a_server_s_own_time_is_kept_where_there_is_so_much_left(tmp_path: Path, after: str, calls: int) -> None:
    heard, answer = wrong_at_first(1, (429, b""))
    async with a_server(answer, tmp_path, said_with=f"retry-after: {after}\r\n", seconds=LONG) as kube:
        with suppress(Unavailable):
            assert await kube.get(CONFIG_MAP, "x") == {}
    assert len(heard) == calls
