"""Which HOLDs last long enough to be told to people? Pure.

A check that comes a moment before its scrape holds for want of it, and the next one passes: that is no news. What a HOLD does, and how
long it may last, is `lifecycle`'s.
"""

from __future__ import annotations

from serinus.analysis.verdict import Rule
from serinus.release.record import Record

SCRAPES = 2
"""A HOLD that ends sooner is told to nobody but the evidence."""
AT_ONCE = frozenset((Rule.CHANGED,))
"""A person is called for these as soon as they are seen."""


def told(record: Record) -> frozenset[str]:
    """The reasons that have stood for at least two scrapes, at the record's last check."""
    patience = SCRAPES * record.plan.checks.scrape_seconds
    return frozenset(
        rule for rule, since in record.held.items() if rule in AT_ONCE or record.elapsed_seconds - since >= patience
    )
