"""What is kept of one play: plain values, as they stand in the results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.kubernetes.row import Play
from bench.kubernetes.seen import Seen
from serinus.local.catalogue import CATALOGUE

ENDS: Mapping[str, str] = {"good": "promoted", "steady": "steady"}
"""How a scenario should end; all others: rolled back."""


@dataclass(frozen=True, slots=True)
class Run:
    """One play.

    Args:
        play: its name, without how often
        ended: `promoted`, `rolled back`, or whatever else
        failed, requests: as clients saw them
        seconds: from the fault's first request to the last that the version or nobody got, as clients saw them
        verdict_to_stable: from the verdict to weight 0 read back; the product's own word, None from others
        weight: that the verdict fell at, percent
        odd: second, version, status and count of everything but stable's good answers
        told: what the tool itself says of it
        load: of the load itself: unsent, how late at worst, processor seconds, seconds
    """

    row: str
    play: str
    scenario: str
    tool: str
    router: str
    scrape: int
    interval: str
    threshold: int
    ended: str
    failed: int
    requests: int
    seconds: float | None
    verdict_to_stable: float | None
    weight: float | None
    odd: Sequence[Sequence[Any]] = field(default_factory=tuple)
    by_version: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    load: Mapping[str, float] = field(default_factory=dict)

    @property
    def as_it_should(self) -> bool:
        return self.ended == ENDS.get(self.scenario, "rolled back")

    def line(self) -> str:
        """For who watches."""
        took = "" if self.seconds is None else f", {self.seconds:.2f} s"
        odd = "" if self.as_it_should else f"  NOT {ENDS.get(self.scenario, 'rolled back')}: {self.told}"
        return f"{self.play}: {self.ended}, {self.failed} of {self.requests:,} failed{took}{odd}"


def run_of(row: str, play: Play, versions: tuple[str, str], seen: Seen, ended: str, told: Mapping[str, Any]) -> Run:
    """Of what clients saw and what the tool says.

    Args:
        versions: stable before, and the one released
    """
    stable, version = versions
    good_seconds = CATALOGUE[version].late_after_seconds if version else 0.0
    faulty = play.scenario not in ENDS
    return Run(
        row=row,
        play=play.name,
        scenario=play.scenario,
        tool=play.tool,
        router=play.router,
        scrape=play.scrape,
        interval=play.interval,
        threshold=play.threshold,
        ended=ended,
        failed=seen.failed,
        requests=seen.requests,
        seconds=seen.seconds(version, good_seconds) if faulty else None,
        verdict_to_stable=told.get("seconds", {}).get("verdict_to_stable"),
        weight=told.get("reason", {}).get("weight"),
        odd=seen.odd(stable),
        by_version=seen.by_version(),
        told=told,
        load={
            "unsent": seen.unsent,
            "late_seconds": seen.late_seconds,
            "cpu_seconds": seen.cpu_seconds,
            "seconds": round(seen.lasted, 1),
        },
    )


def keep(run: Run, file: Path) -> None:
    """Add it to those that were played."""
    with file.open("a") as lines:
        lines.write(f"\n{json.dumps(asdict(run), ensure_ascii=False)}\n")  # a new line: the last may have been torn


def kept(file: Path) -> list[Run]:
    """All that were; a last line that was torn is left out."""
    found = []
    for line in file.read_text().splitlines() if file.exists() else ():
        try:
            found.append(Run(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found
