"""One row played: every run of it, as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.history import History, history
from bench.row import ALL, Row
from bench.share import Share, shares
from serinus.cli.scenario import Meanwhile
from serinus.cli.stage import Played, Stage, stage
from serinus.release.evidence import verify
from serinus.release.record import Record
from serinus.settings import Folders


@dataclass(frozen=True, slots=True)
class Run:
    """One release of one row.

    Args:
        history: what Prefect holds of it; asked where its server was away meanwhile
        faults: of its evidence, held against its record
    """

    row: Row
    scenario: str
    played: Played
    shares: tuple[Share, ...]
    history: History | None = None
    faults: tuple[str, ...] = ()

    @property
    def summary(self) -> dict[str, Any]:
        return self.played.summary

    def as_json(self) -> dict[str, Any]:
        users = self.played.users
        return {
            "row": self.row.name,
            "scenario": self.scenario,
            "rate": self.row.rate,
            "scrape": self.row.scrape,
            "users": {"requests": users.requests, "failed": users.failed} if users else None,
            "rss_bytes": self.played.rss_bytes,
            "shares": [{"weight": s.weight, "canary": s.canary, "all": s.all, "z": round(s.z, 2)} for s in self.shares],
            "evidence_faults": list(self.faults),
            "history": asdict(self.history) if self.history else None,
            **self.played.as_json(),
        }


async def play(row: Row, plays: Mapping[str, int], folder: Path, say: Callable[[str], None]) -> list[Run]:
    """Play a row on a platform of its own.

    Args:
        plays: how often each scenario
    """
    folders = Folders.at(folder)
    options = ("--service", f"shop:{row.stable}", "--scrape", row.scrape)
    runs: list[Run] = []
    async with stage(folders, options, lambda line: None) as there:
        there.rate = row.rate
        if row.policy:
            there.policy = folders.state / "policy.yaml"
            there.policy.write_text(row.policy)
        for name, times in plays.items():
            for number in range(times):
                played = await there.play(ALL[name])
                found = shares(Path(played.summary.get("evidence", "")))
                held = ALL[name].meanwhile is Meanwhile.RESTART and played.as_it_should
                past = await asyncio.to_thread(history, there.platform.prefect_api, played.summary) if held else None
                runs.append(Run(row, name, played, found, past, await faults(there)))
                say(f"{row.name}: {name} {number + 1} of {times}: {told(played)}")
    return runs


async def faults(there: Stage) -> tuple[str, ...]:
    """What is wrong with the evidence of the release that ended last."""
    kept = await there.ports.ledger.read()
    if kept is None or not isinstance(kept.record, Record):
        return ("there is no record",)
    lines = await there.ports.ledger.lines(kept.record.release)
    return tuple(str(fault) for fault in verify(lines, kept.record.head))


def told(played: Played) -> str:
    """One run in a line."""
    seconds = "" if played.seconds_to_stable is None else f", {played.seconds_to_stable:.2f} s"
    failed = f"{played.failed['canary']} of {played.completed['canary']:,} failed on the canary"
    odd = (
        ""
        if played.as_it_should
        else f"  NOT {played.scenario.outcome}: {played.summary.get('reason', {}).get('why', '')}"
    )
    return f"{played.summary.get('outcome')}, {failed}{seconds}{odd}"
