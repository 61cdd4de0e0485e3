"""What does uvicorn serve as the local Prefect server? Prefect's own application, made in less time.

    python -m uvicorn --factory serinus.local.prefect_app:create

What is made of its modules and settings, some million objects, stays until the server ends. To look for garbage among them while
they are made takes a seventh of the start; to go on doing so delays requests.
"""

from __future__ import annotations

import gc
from typing import Any


def create() -> Any:
    """The application."""
    gc.disable()
    from prefect.server.api.server import create_app

    made = create_app()
    gc.freeze()
    gc.enable()
    return made
