"""What the gate remembers between two checks: persisted with the record, so that no increment counts twice.

Placeholder of its shape; owned by `analysis`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GateState:
    """Empty at a release's start."""
