"""`python -m bench [--quick] [--only SCENARIO...] [--rows TEXT]`: play, measure, print the table, keep every run."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from bench.measure import measures, start_up
from bench.play import Run, play
from bench.result import RESULTS, table, write
from bench.row import ALL, QUICK, ROWS


def main() -> int:
    """The exit code: 0 where every goal is met."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="each scenario once or twice, 200 requests a second: some 7 minutes"
    )
    parser.add_argument("--only", nargs="+", choices=sorted(ALL), default=[], metavar="SCENARIO", help=", ".join(ALL))
    parser.add_argument("--rows", default="", metavar="TEXT", help="only rows whose name contains this")
    parser.add_argument("--times", type=int, help="how often each scenario is played, instead of its own number")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the runs are kept")
    given = parser.parse_args()
    rows = [row for row in (QUICK if given.quick else ROWS) if given.rows in row.name]
    runs: list[Run] = []
    found, raw = start_up(5 if given.quick else 20)
    with tempfile.TemporaryDirectory(prefix="serinus-bench-") as folder:
        for number, row in enumerate(rows):
            chosen = {
                name: given.times or times for name, times in row.plays.items() if name in (given.only or row.plays)
            }
            if chosen:
                runs += asyncio.run(play(row, chosen, Path(folder) / str(number), lambda text: print(text, flush=True)))
    found = measures(runs) + found
    path = write(runs, found, raw, given.results)
    print(f"\n{table(found)}\n\n{len(runs)} runs: {path}")
    return 1 if any(measure.met is False for measure in found) else 0


if __name__ == "__main__":
    sys.exit(main())
