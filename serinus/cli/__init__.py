"""The command line: what a person types. It asks, shows and chooses exit codes; it decides nothing about a release.

Prefect, Kubernetes, pydantic, httpx and rich are imported inside the commands that need them, so that `serinus --help` and
`serinus check` answer at once.
"""

from __future__ import annotations

import os


def main() -> None:
    """The console script `serinus`: owner of its process, so it may say for all of it that nobody is to be told of its use, and that
    Prefect starts no server of its own where none is named.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_ENABLED", "false")
    from serinus.cli.app import app

    app(prog_name="serinus")
