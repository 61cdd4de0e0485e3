"""`python -m bench.kubernetes [--quick] [--rows TEXT ...] [--resume]`: a cluster, every row on it, the tables; every run is kept."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.kubernetes.ground import enter, ground, prepare
from bench.kubernetes.measure import beside, measures
from bench.kubernetes.play import play_row
from bench.kubernetes.row import QUICK, RATE, ROWS, VERSIONS, Row
from bench.kubernetes.run import Run, keep, kept
from bench.measure import Measure
from bench.result import RESULTS, machine, table, versions
from serinus.errors import SerinusError
from serinus.local.cluster import namespace
from serinus.local.cluster.programs import FLAGGER, KUBERNETES, SETS

PLAYED = Path(__file__).parents[2] / ".cache" / "bench-kubernetes.jsonl"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.kubernetes", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="each fault once or twice: some 6 minutes")
    parser.add_argument(
        "--rows", nargs="+", default=[""], metavar="TEXT", help="only rows whose name contains one of these"
    )
    parser.add_argument("--only", nargs="+", choices=sorted(VERSIONS), default=sorted(VERSIONS), metavar="SCENARIO")
    parser.add_argument("--resume", action="store_true", help="leave out what was played before it was interrupted")
    parser.add_argument("--played", type=Path, default=PLAYED, metavar="FILE", help="where runs are noted meanwhile")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="a new one that is left with logs and evidence")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the runs are kept")
    return parser.parse_args()


def main() -> int:
    """The exit code: 0 where every goal is met."""
    given = arguments()
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)

    try:
        if reason := namespace.why_not():
            print(reason, file=sys.stderr)
            return 2
        prepare(say)
        enter(sys.argv[1:])
        chosen = [row for row in (QUICK if given.quick else ROWS) if any(text in row.name for text in given.rows)]
        rows = [row.only(given.only) for row in chosen]
        runs = asyncio.run(played(rows, given, say))
    except SerinusError as problem:
        print(problem, file=sys.stderr)
        return 1
    found = measures(runs)
    path = write(runs, found, given.results)
    given.played.unlink(missing_ok=True)
    print(
        f"\n{table(found)}\n\n{beside(runs)}\n\n{len(runs)} runs in {(time.monotonic() - began) / 60:.0f} min: {path}"
    )
    return 1 if any(measure.met is False for measure in found) or not runs else 0


async def played(rows: Sequence[Row], given: argparse.Namespace, say: Callable[[str], None]) -> list[Run]:
    """Every row, one after another; those that were played before among the runs."""
    given.played.parent.mkdir(parents=True, exist_ok=True)
    if not given.resume:
        given.played.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="serinus-bench-") as temporary:
        async with ground(given.folder or Path(temporary), say) as there:
            for row in rows:
                before = Counter(run.play for run in kept(given.played) if run.row == row.name)
                await play_row(there, row, before, lambda run: keep(run, given.played), say)
    return kept(given.played)


def write(runs: Sequence[Run], found: Sequence[Measure], folder: Path) -> Path:
    """The whole bench as `<date>-kubernetes-<machine>.json`."""
    here, now = machine(), datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now:%Y-%m-%dT%H%M}-kubernetes-{here['cpus']}cpu-{here['arch']}.json"
    whole: dict[str, Any] = {
        "at": now.isoformat(timespec="seconds"),
        "machine": here,
        "versions": versions()
        | {name: required(SETS[name].source / "go.mod") for name in (KUBERNETES.name, "contour", FLAGGER.name)},
        "seeds": "none: Envoy splits and the demo service fails at random, anew in every run",
        "rate": RATE,
        "measures": [asdict(measure) for measure in found],
        "runs": [asdict(run) for run in runs],
    }
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    return path


def required(mod: Path) -> str:
    """The version that a tool set is pinned to: of the first module that its go.mod requires."""
    lines = mod.read_text().splitlines()
    names = {
        "kubernetes": "k8s.io/kubernetes",
        "contour": "github.com/projectcontour/contour",
        "flagger": "github.com/fluxcd/flagger",
    }
    wanted = names[mod.parent.name]
    words = next((line.split() for line in lines if wanted in line.split() and " v" in line), [])
    return next((word for word in words if word.startswith("v")), "?")


if __name__ == "__main__":
    sys.exit(main())
