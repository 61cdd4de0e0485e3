"""What a release asked of an API server and wrote into its etcd: counts, held against what is promised of an hour."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from bench.cluster import NAMESPACE, SERVICE
from bench.measure import Measure
from bench.result import machine, versions
from serinus.local.cluster.audit import Call
from serinus.local.traffic import Sent

HOUR = 60.0
CALLS_A_CHECK, CALLS_AN_HOUR, BYTES_AN_HOUR = 4, 2_000, 10_000_000
LONGEST_PAUSE = 18.0
"""Seconds between two checks, an interval apart, with nothing else between them."""
RECORD = f"serinus-{SERVICE}"


@dataclass(frozen=True, slots=True)
class Counted:
    """One release.

    Args:
        ended: its outcome
        why: of the outcome
        seconds: from its first call to its last
        checked: when a check ended, by the clock of who made it
        calls: of its service account
        bytes, puts: of etcd in its namespace, by key, whoever wrote them
        idle, release: etcd's own counters of the whole server, a minute
        users: what they saw
    """

    ended: str
    why: str
    seconds: float
    checked: tuple[datetime, ...]
    calls: tuple[Call, ...]
    bytes: Mapping[str, int]
    puts: Mapping[str, int]
    idle: Mapping[str, float]
    release: Mapping[str, float]
    users: Sent

    @property
    def checks(self) -> int:
        return len(self.checked)

    @property
    def between(self) -> list[int]:
        """Calls from check to check, where nothing else was done meanwhile."""
        spans = [(one, other) for one, other in pairwise(self.checked) if (other - one).total_seconds() < LONGEST_PAUSE]
        asked = ([call for call in self.calls if one < call.began <= other] for one, other in spans)
        return [len(calls) for calls in asked if not any(map(_moves, calls))]

    @property
    def before(self) -> tuple[Call, ...]:
        """Calls of preflight: before there is a record."""
        begun = next((n for n, call in enumerate(self.calls) if _begins(call)), len(self.calls))
        return self.calls[:begun]


def _begins(call: Call) -> bool:
    return call.verb == "create" and call.resource == "configmaps" and call.name in ("", RECORD)


def _moves(call: Call) -> bool:
    return call.verb in ("create", "patch", "delete") and call.resource != "configmaps"


def measures(found: Counted) -> Iterator[Measure]:
    """The promises; those of an hour are judged by an hour."""
    hours = found.seconds / 3600
    whole = found.seconds >= 0.9 * 60 * HOUR
    number, checks, total = len(found.calls), max(1, found.checks), sum(found.bytes.values())
    yield Measure("release", f"{found.ended}: {found.why}", "promoted", found.ended == "promoted")
    figure = f"{number / checks:.2f} ({number:,} calls, {found.checks} checks)"
    yield _measure("calls a check", figure, f"<= {CALLS_A_CHECK}", number / checks <= CALLS_A_CHECK, whole)
    if quiet := found.between:
        yield Measure("  while it only checks", f"{sum(quiet) / len(quiet):.2f} (from {min(quiet)} to {max(quiet)})")
    figure = f"{number / hours:,.0f} ({number:,} in {found.seconds / 60:.1f} min)"
    yield _measure("calls an hour", figure, f"<= {CALLS_AN_HOUR:,}", number / hours <= CALLS_AN_HOUR, whole)
    later = [call.resource for call in found.calls[len(found.before) :] if not call.selected and _many(call)]
    figure = f"{len(later)} in the release{_named(later)}"
    yield Measure("lists without a selector", figure, "0", not later)
    early = [call.resource for call in found.before if not call.selected and _many(call)]
    yield Measure("  before it, by preflight", f"{len(early)}{_named(early)}")
    figure = f"{total / hours / 1e6:.2f} MB ({total:,} B in {sum(found.puts.values()):,} puts)"
    goal = f"<= {BYTES_AN_HOUR / 1e6:.0f} MB"
    yield _measure("bytes to etcd an hour", figure, goal, total / hours <= BYTES_AN_HOUR, whole)
    more = 60 * (found.release["log_bytes"] - found.idle["log_bytes"])
    yield Measure("  whole server's log, more than idle", f"{more / 1e6:.2f} MB an hour")
    yield Measure("users", f"{found.users.failed} of {found.users.requests:,} requests failed")


def _measure(name: str, figure: str, goal: str, met: bool, judged: bool) -> Measure:
    return Measure(name, figure, goal, met if judged else None)


def _many(call: Call) -> bool:
    return call.verb in ("list", "watch")


def _named(resources: list[str]) -> str:
    return f": {', '.join(sorted(set(resources)))}" if resources else ""


def by_kind(found: Counted) -> Counter[str]:
    """Calls by verb and resource; those that were refused apart."""
    return Counter(
        f"{call.verb} {call.resource}" + (f" {call.code}" if call.code >= 400 else "") for call in found.calls
    )


def by_key(found: Counted) -> dict[str, list[int]]:
    """Bytes and puts by what was written: ConfigMaps by name, anything else by its kind."""
    summed: dict[str, list[int]] = {}
    for key, count in found.bytes.items():
        kind, name = re.sub(rf"/{NAMESPACE}/.*", "", key), key.rpartition("/")[2]
        place = summed.setdefault(f"{kind} {name}" if kind == "configmaps" else kind, [0, 0])
        place[0] += count
        place[1] += found.puts[key]
    return dict(sorted(summed.items(), key=lambda pair: -pair[1][0]))


def written(found: Counted, minutes: float, folder: Path) -> Path:
    """The whole of it as `<date>-<machine>-budget.json`."""
    here, now = machine(), datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now:%Y-%m-%dT%H%M}-{here['cpus']}cpu-{here['arch']}-budget.json"
    whole = {
        "at": now.isoformat(timespec="seconds"),
        "machine": here,
        "versions": versions(),
        "minutes": minutes,
        "measures": [asdict(measure) for measure in measures(found)],
        "seconds": found.seconds,
        "checks": found.checks,
        "calls": dict(by_kind(found).most_common()),
        "calls_before_the_record": len(found.before),
        "bytes_and_puts": by_key(found),
        "etcd_a_minute": {"idle": dict(found.idle), "release": dict(found.release)},
        "users": {"requests": found.users.requests, "failed": found.users.failed},
    }
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    return path
