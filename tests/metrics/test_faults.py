"""A Prometheus that is not there, does not answer, or answers garbage: one clear sentence, in time, every time."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from serinus.errors import Refused, Unavailable
from serinus.metrics.prometheus import MOST_SAMPLES, PrometheusMetrics
from serinus.metrics.sources import envoy
from tests.metrics.demanding import NOW, Asked, a_reading, answer, good, part, serving

TIMEOUT = 0.4
AT_MOST = 5 * 2 * TIMEOUT


def metrics(url: str, **how: Any) -> PrometheusMetrics:
    return PrometheusMetrics(url, envoy("shop"), **({"timeout_seconds": TIMEOUT, "scrape_seconds": 1.0} | how))


def body(status: int, text: bytes, **headers: str) -> Callable[[Asked], None]:
    return lambda asked: asked.say(status, text, **headers)


def hang(asked: Asked) -> None:
    asked.server.released.wait(30)


def drip(asked: Asked) -> None:
    asked.send_response(200)
    asked.send_header("Content-Length", "100000")
    asked.end_headers()
    _drip(asked, b" ")


def drip_chunked(asked: Asked) -> None:
    asked.send_response(200)
    asked.send_header("Transfer-Encoding", "chunked")
    asked.end_headers()
    _drip(asked, b"1\r\n \r\n")


def drip_headers(asked: Asked) -> None:
    asked.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(asked, b"x")


def _drip(asked: Asked, piece: bytes) -> None:
    while not asked.server.released.wait(0.02):
        asked.wfile.write(piece)
        asked.wfile.flush()


def endless(asked: Asked) -> None:
    asked.send_response(200)
    asked.send_header("Transfer-Encoding", "chunked")
    asked.end_headers()
    while not asked.server.released.is_set():
        asked.wfile.write(b"100000\r\n" + b" " * 2**20 + b"\r\n")


def cut_off(asked: Asked) -> None:
    asked.send_response(200)
    asked.send_header("Content-Length", "1000")
    asked.end_headers()
    asked.wfile.write(b'{"status":')
    asked.close_connection = True


def no_http(asked: Asked) -> None:
    asked.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    asked.close_connection = True


def shaped(result: object) -> Callable[[Asked], None]:
    return body(200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode())


GARBAGE: dict[str, tuple[Callable[[Asked], None], str]] = {
    "hang": (hang, "did not answer within 0.4"),
    "body drips": (drip, "did not finish its answer within 0.4 s|did not answer within"),
    "chunks drip": (drip_chunked, "did not finish its answer within 0.4 s|did not answer within"),
    "headers drip": (drip_headers, "did not answer within"),
    "huge": (endless, "more than 16 MiB|did not finish its answer within|did not answer within"),
    "a bomb": (
        body(200, gzip.compress(b" " * 2**26), Content_Encoding="gzip"),
        "more than 16 MiB|did not finish its answer within|did not answer within",
    ),
    "broken gzip": (body(200, b"not gzip", Content_Encoding="gzip"), "cannot be reached: "),
    "cut off": (cut_off, "cannot be reached: "),
    "no HTTP": (no_http, "cannot be reached: "),
    "500": (body(500, b"boom"), r"answered 500: boom"),
    "429": (body(429, b"slow down", Retry_After="60"), r"answered 429: slow down"),
    "503": (body(503, b'{"status":"error","error":"starting"}', Retry_After="60"), r"answered 503: starting"),
    "204": (body(204, b""), r"answered 204: nothing"),
    "redirect": (body(302, b"", Location="http://u:p@login/?a=s"), r"sends us on to http://\*\*\*@login/ \(302\)"),
    "HTML": (
        body(200, b"<html>\x00\x1b[31m" + b"x" * 5000),
        r"does not answer as a Prometheus does: <html> \[31mx+\.\.\.$",
    ),
    "empty": (body(200, b""), "does not answer as a Prometheus does: nothing"),
    "not UTF-8": (body(200, b"\xff\xfe{"), "does not answer as a Prometheus does"),
    "a list": (body(200, b"[]"), "does not answer as a Prometheus does"),
    "deep": (body(200, b"[" * 100_000), "does not answer as a Prometheus does"),
    "no data": (body(200, b'{"status":"success"}'), "does not answer as a Prometheus does"),
    "no result": (body(200, b'{"status":"success","data":{}}'), "does not answer as a Prometheus does"),
    "an error with 200": (body(200, b'{"status":"error","error":"not today"}'), "not today"),
    "result is text": (shaped("none"), "does not answer as a Prometheus does"),
    "result of numbers": (shaped([1, 2]), "does not answer as a Prometheus does"),
    "a matrix": (shaped([{"metric": {}, "values": [[1, "2"]]}]), "does not answer as a Prometheus does"),
    "labels are a list": (shaped([{"metric": [], "value": [1, "2"]}]), "does not answer as a Prometheus does"),
    "a value that is none": (shaped([{"metric": {}, "value": [1, "two"]}]), "does not answer as a Prometheus does"),
    "without time": (shaped(a_reading()[1:]), "without its own time"),
    "an unknown arm": (shaped([part("now", NOW), part("purple requests", 1)]), "does not answer as a Prometheus does"),
    "a bucket without edge": (
        shaped([part("now", NOW), part("canary within", 1)]),
        "does not answer as a Prometheus does",
    ),
}


@pytest.mark.parametrize("kind", GARBAGE)
async def test_garbage_is_unavailable_in_time_with_one_sentence_that_names_the_address(kind: str) -> None:
    behave, words = GARBAGE[kind]
    with serving(behave) as server:
        began = time.monotonic()
        with pytest.raises(Unavailable, match=words) as said:
            await metrics(server.url.replace("://", "://ann:s3cr3t@")).read()
        assert time.monotonic() - began < AT_MOST
    text = str(said.value)
    assert "\n" not in text
    assert "s3cr3t" not in text
    assert len(text) < 450
    assert server.url.partition("://")[2] in text


async def test_nobody_listening() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unavailable, match=rf"http://127\.0\.0\.1:{port} cannot be reached: connection refused"):
        await metrics(f"http://127.0.0.1:{port}").read()


async def test_a_name_that_nobody_has() -> None:
    with pytest.raises(Unavailable, match=r"cannot be reached|did not answer"):
        await metrics("http://prometheus.invalid:9090").read()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_no_is_refused_with_the_servers_words_and_not_asked_again(status: int) -> None:
    told = json.dumps({"status": "error", "errorType": "bad_data", "error": "parse error: unclosed"}).encode()
    with serving(body(status, told)) as server:
        with pytest.raises(Refused, match=rf"refuses \({status}\): parse error: unclosed"):
            await metrics(server.url).read()
        assert len(server.seen) == 1


def samples(many: int) -> bytes:
    """An instant vector of so many samples, as short as can be."""
    one = b'{"metric":{},"value":[1,"1"]}'
    return b'{"status":"success","data":{"resultType":"vector","result":[' + b",".join([one] * many) + b"]}}"


async def test_more_samples_than_any_check_needs_are_refused_and_not_asked_for_again() -> None:
    with serving(body(200, samples(MOST_SAMPLES + 1))) as server:
        async with metrics(server.url, timeout_seconds=10.0) as asked:
            with pytest.raises(Refused, match="answered with 100,001 samples where 100,000 are the most: aggregate"):
                await asked.read()
        assert len(server.seen) == 1


async def test_samples_of_a_range_count_each() -> None:
    series = {"metric": {"figure": "requests"}, "values": [[NOW, "1"]] * (MOST_SAMPLES // 2)}
    with serving(body(200, answer([series] * 2 + [part("now", NOW)]))) as server:
        async with metrics(server.url, timeout_seconds=2.0) as asked:
            with pytest.raises(Refused, match="100,001 samples"):
                await asked.history()


async def test_a_threshold_metric_with_too_many_samples_is_its_own_gates_trouble() -> None:
    def behave(asked: Asked) -> None:
        good(asked) if asked.query != "q" else asked.say(200, samples(MOST_SAMPLES + 1))

    with serving(behave) as server:
        async with metrics(server.url, timeout_seconds=10.0, query_gates={"queue": "q"}) as asked:
            reading = await asked.read()
            assert math.isnan(reading.queries["queue"][0])
            assert "100,001 samples" in asked.warnings[0]


async def test_as_many_as_are_allowed_are_read() -> None:
    with serving(lambda asked: good(asked) if asked.query != "q" else asked.say(200, samples(MOST_SAMPLES))) as server:
        async with metrics(server.url, timeout_seconds=10.0, query_gates={"queue": "q"}) as asked:
            assert len((await asked.read()).queries["queue"]) == MOST_SAMPLES


async def test_what_fails_once_is_asked_again() -> None:
    answers: Iterator[Callable[[Asked], None]] = iter((body(503, b"later", Retry_After="60"), cut_off, good))
    with serving(lambda asked: next(answers)(asked)) as server:
        assert (await metrics(server.url).read()).counters
        assert len(server.seen) == 3


async def test_it_gives_up_after_a_few() -> None:
    with serving(body(503, b"later")) as server:
        with pytest.raises(Unavailable):
            await metrics(server.url).read()
        assert 1 <= len(server.seen) <= 3


async def test_one_connection_serves_many_readings() -> None:
    ports = set()

    def behave(asked: Asked) -> None:
        ports.add(asked.client_address)
        good(asked)

    with serving(behave) as server:
        async with metrics(server.url) as one:
            for _ in range(5):
                await one.read()
    assert len(ports) == 1


async def test_a_hanging_server_neither_holds_the_loop_nor_fills_it_with_threads() -> None:
    turns = 0

    async def spin() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    with serving(drip_headers) as server:
        one = metrics(server.url, timeout_seconds=0.1)
        spinning = asyncio.create_task(spin())
        for _ in range(12):
            with pytest.raises(Unavailable):
                await one.read()
        spinning.cancel()
        mine = [thread for thread in threading.enumerate() if thread.name == f"serinus {server.url}"]
        assert len(mine) <= 4
        assert turns > 10
        with pytest.raises(Unavailable, match="leaves every call unanswered"):
            await one.read()


def test_a_thread_that_waits_for_ever_does_not_keep_the_loop_from_closing() -> None:
    async def once(url: str) -> None:
        with pytest.raises(Unavailable):
            await metrics(url, timeout_seconds=0.2).read()

    with serving(drip_headers) as server:
        began = time.monotonic()
        asyncio.run(once(server.url))
        assert time.monotonic() - began < 5


async def test_a_cancelled_reading_is_over_at_once() -> None:
    with serving(hang) as server:
        reading = asyncio.create_task(metrics(server.url, timeout_seconds=20.0, query_gates={"a": "up"}).read())
        assert await asyncio.to_thread(server.arrived.acquire, timeout=10)
        began = time.monotonic()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert time.monotonic() - began < 1


def gated(gate: Callable[[Asked], None]) -> Callable[[Asked], None]:
    """Answers the figures well and the one threshold metric so."""
    return lambda asked: gate(asked) if asked.query == "max(queue)" else good(asked)


@contextmanager
def one_gate(gate: Callable[[Asked], None]) -> Iterator[PrometheusMetrics]:
    with serving(gated(gate)) as server:
        yield metrics(server.url, query_gates={"queue": "max(queue)"})


def series(*values: str) -> Callable[[Asked], None]:
    return shaped([{"metric": {"n": str(n)}, "value": [NOW, value]} for n, value in enumerate(values)])


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (series("4.5"), (4.5,)),
        (series(), ()),
        (series("1", "2", "NaN"), (1.0, 2.0, math.nan)),
        (series("NaN"), (math.nan,)),
        (series("+Inf"), (math.inf,)),
        (shaped([NOW, "7"]), (7.0,)),
        (shaped([NOW, "seven"]), (math.nan,)),
        (body(400, b'{"status":"error","error":"parse error"}'), (math.nan,)),
        (body(500, b"boom"), (math.nan,)),
        (hang, (math.nan,)),
        (shaped([{"metric": {}, "values": []}]), (math.nan,)),
    ],
    ids=["one", "none", "several", "NaN", "Inf", "scalar", "string", "bad query", "500", "hang", "matrix"],
)
async def test_a_threshold_metric_is_answered_or_is_its_own_gates_trouble(
    gate: Callable[[Asked], None], expected: tuple[float, ...]
) -> None:
    with one_gate(gate) as one:
        reading = await one.read()
    assert reading.queries == {"queue": pytest.approx(expected, nan_ok=True)}
    assert len(reading.counters) == 10


async def test_why_a_threshold_metric_failed_and_what_prometheus_warned_of_is_kept() -> None:
    def behave(asked: Asked) -> None:
        if asked.query == "max(queue)":
            asked.say(400, b'{"status":"error","error":"parse error"}')
        else:
            asked.say(200, answer(a_reading(), warnings=["a store is missing"]))

    with serving(behave) as server:
        one = metrics(server.url, query_gates={"queue": "max(queue)"})
        await one.read()
    assert one.warnings[0] == "a store is missing"
    assert "parse error" in one.warnings[1]


async def test_nan_and_absent_counters_stay_what_they_are() -> None:
    with serving(body(200, answer(a_reading("NaN")))) as server:
        reading = await metrics(server.url).read()
    assert all(math.isnan(counter.value) for counter in reading.counters)
    with serving(body(200, answer([part("now", NOW)]))) as server:
        empty = await metrics(server.url).read()
    assert (empty.counters, empty.targets, empty.now) == ((), {}, NOW)


async def test_findings_say_that_it_is_not_there() -> None:
    with serving(body(500, b"boom")) as server:
        (finding,) = await metrics(server.url).findings()
    assert finding.fatal
    assert "answered 500: boom" in str(finding)
