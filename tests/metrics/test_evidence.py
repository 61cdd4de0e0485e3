"""What a Prometheus says of us is evidence; the password that it repeats is not."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from serinus.metrics.access import Access
from serinus.metrics.prometheus import PrometheusMetrics
from serinus.metrics.sources import envoy
from serinus.moves.acquire import acquire
from serinus.moves.preflight import preflight
from serinus.moves.roll_back import roll_back
from serinus.moves.start import start
from tests.fakes import a_world
from tests.metrics.demanding import Asked, basic, serving
from tests.moves.driver import ports
from tests.release.builders import a_plan
from tests.world import Version

PASSWORD = "s3cr3t"
SENT = basic("ann", PASSWORD).removeprefix("Basic ")


def repeat(asked: Asked) -> None:
    asked.say(403, f"{asked.headers['Authorization']} ({PASSWORD}) may not read".encode())


async def test_a_release_that_cannot_be_judged_says_why_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world = a_world(versions={"v1": Version(), "v2": Version()})
    with serving(repeat) as server:
        async with PrometheusMetrics(server.url, envoy("shop"), access=Access(basic=("ann", PASSWORD))) as metrics:
            there, plan = replace(ports(world), metrics=metrics), a_plan()
            facts = await preflight(ports(world), plan)
            engine = await acquire(there, plan, facts, release="r1", owner="engine-1")
            await roll_back(engine, await start(engine, facts.template))
    assert engine.record.outcome is not None
    assert "refuses (403): Basic *** (***) may not read" in engine.record.outcome.why
    evidence = "\n".join(await world.ledger.lines("r1"))
    assert "may not read" in evidence
    for text in (evidence, engine.record.outcome.why, caplog.text, repr(world.notifier.__dict__)):
        assert PASSWORD not in text
        assert SENT not in text
