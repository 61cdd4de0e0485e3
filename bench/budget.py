"""`python -m bench.budget [--minutes N]`: what one release asks of an API server and writes into its etcd.

A release through Prefect of the default policy (a check every 15 s), with the rights of `deployments/kubernetes`, under light load.
Counted by the API server's audit log and by etcd, not by ourselves. `--minutes` is the whole release, its bake included.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from bench import etcd
from bench.cluster import ACCOUNT, HOST, NAMESPACE, SERVICE, Ground, enter, ground
from bench.counted import HOUR, Counted, by_key, by_kind, measures, written
from bench.result import RESULTS, table
from flows import start
from serinus.errors import SerinusError
from serinus.local.cluster import audit
from serinus.local.traffic import sending
from serinus.release.evidence import parse
from serinus.release.record import Record
from serinus.settings import Folders
from serinus.wiring import open_to_ask, plan_of

RATE = 20.0
VERSION = "v1.1"
SCRAPE_SECONDS = 15.0
IDLE_SECONDS = 60.0
"""How long the cluster is counted without a release: what it writes by itself."""
WEIGHTS = ("5%", "10%", "25%", "50%", "100%")
WARM_UP_SECONDS = 60.0
COUNTED_SECONDS, POLL_SECONDS = 60.0, 0.5


def policy(prometheus: str, minutes: float) -> dict[str, Any]:
    """Defaults wherever they exist; phases and bake share the time."""
    share = round(60 * minutes / (len(WEIGHTS) + 1))
    return {
        "service": SERVICE,
        "workload": {"kubernetes": {"namespace": NAMESPACE}},
        "router": "contour",
        "telemetry": {"prometheus": {"url": prometheus}},
        "phases": [{"weight": weight, "soak": f"{share}s"} for weight in WEIGHTS],
        "bake": f"{share}s",
        "gates": {"error_rate": {"max": "2%", "abort_above": "10%"}},
        # Nothing but what phases too short for the defaults need.
        "checks": {} if share > 4 * WARM_UP_SECONDS else {"warm_up": f"{share // 4}s", "min_requests": 10},
        "limits": {"duration": f"{round(3 * minutes)}m"},
    }


async def measure(minutes: float, folder: Path) -> Counted:
    """Play it, on a cluster of its own."""
    async with ground(folder, SCRAPE_SECONDS) as there:
        os.environ |= {"KUBECONFIG": str(there.kubeconfig), "SERINUS_STATE": str(folder / "state")}
        async with sending(there.cluster.ingress, RATE, HOST) as users:
            await _is_counted(there)
            idle = await _a_minute(asyncio.sleep(min(IDLE_SECONDS, 12 * minutes)))
            say(f"the release begins, {minutes:g} minutes")
            async with etcd.writing() as puts:
                release = await _a_minute(_release(there, policy(there.prometheus, minutes), folder))
            sent = await users.stop()
        calls = tuple(audit.calls(there.cluster.log(audit.LOG), ACCOUNT, NAMESPACE))
        record, checked = await _recorded(there, minutes, folder)
        ours = {key: count for key, count in puts.bytes.items() if f"/{NAMESPACE}/" in key}
        times = {key: puts.puts[key] for key in ours}
        why = record.outcome.why if record.outcome else ""
        seconds = (calls[-1].began - calls[0].began).total_seconds()
        return Counted(str(record.state), why, seconds, checked, calls, ours, times, idle, release, sent)


async def _is_counted(there: Ground) -> None:
    """Prometheus knows the service's traffic."""
    series = f'envoy_cluster_upstream_rq_completed{{envoy_cluster_name="{NAMESPACE}_{SERVICE}_80"}} > 0'
    async with httpx.AsyncClient(base_url=there.prometheus, trust_env=False) as http:
        async with asyncio.timeout(COUNTED_SECONDS):
            while not (await http.get("/api/v1/query", params={"query": series})).json()["data"]["result"]:  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)


async def _release(there: Ground, given: Mapping[str, Any], folder: Path) -> None:
    with temporary_settings({PREFECT_API_URL: there.prefect, PREFECT_HOME: folder / "client"}):
        made = await start.create(SERVICE, VERSION, policy=given, key=folder.name, here=True)
        ended = await start.run_here(made)
        say(f"{ended.name}: {ended.message}")
        await start.history_sent(IDLE_SECONDS)


async def _a_minute(something: Any) -> dict[str, float]:
    """By how much etcd's counters grow in a minute, while something is awaited."""
    clock = asyncio.get_running_loop().time
    before, began = await etcd.counters(), clock()
    await something
    after, minutes = await etcd.counters(), (clock() - began) / 60
    return {name: (after[name] - before[name]) / minutes for name in after}


async def _recorded(there: Ground, minutes: float, folder: Path) -> tuple[Record, tuple[datetime, ...]]:
    """The record at its end, and when each check of its evidence was."""
    target = plan_of(SERVICE, VERSION, policy(there.prometheus, minutes)).target
    async with open_to_ask(SERVICE, Folders.at(folder / "state"), target) as ports:
        kept = await ports.ledger.read()
        assert kept is not None
        assert isinstance(kept.record, Record)
        lines = [parse(line) for line in await ports.ledger.lines(kept.record.release)]
        return kept.record, tuple(datetime.fromisoformat(line.at) for line in lines if line.kind == "check")


def say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)


def main() -> int:
    """The exit code: 0 where every goal is met."""
    parser = argparse.ArgumentParser(prog="python -m bench.budget", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=HOUR, help="of the release (default: 60)")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the figures are kept")
    given = parser.parse_args()
    try:
        enter(say)
        with tempfile.TemporaryDirectory(prefix="serinus-budget-") as folder:
            found = asyncio.run(measure(given.minutes, Path(folder)))
    except SerinusError as problem:
        say(str(problem))
        return 1
    judged = list(measures(found))
    path = written(found, given.minutes, given.results)
    kinds = "\n".join(f"{count:7,}  {what}" for what, count in by_kind(found).most_common())
    keys = "\n".join(f"{size:11,} B {puts:6,} puts  {what}" for what, (size, puts) in by_key(found).items())
    print(f"\n{table(judged)}\n\n{kinds}\n\n{keys}\n\n{path}")
    return 1 if any(one.met is False for one in judged) else 0


if __name__ == "__main__":
    sys.exit(main())
