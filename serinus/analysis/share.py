"""Whether the canary got the share of the requests that was set: an e-value, so every check may look.

Source: Lindon & Malek, arXiv 2011.03567 (sample ratio mismatch by a Dirichlet mixture).
"""

from __future__ import annotations

import math

from serinus.analysis.binomial import log_beta
from serinus.analysis.judging import percent
from serinus.analysis.verdict import Judgement, Outcome, Rule

GATE = "traffic"
_ALPHA = 1e-4
"""Of a phase that is served as set, ever to be called a mismatch."""
_FLOOR = 0.1
"""Part of the smaller weight that a mismatch must reach to matter."""
_PRIOR = 20.0
"""How many requests the mixture is worth."""


def log_mismatch(canary: float, stable: float, weight: float) -> float:
    """Logarithm of the evidence against "each request goes to the canary with probability `weight`" (0 < weight < 1)."""
    a, b = _PRIOR * weight, _PRIOR * (1 - weight)
    mixture = log_beta(a + canary, b + stable) - log_beta(a, b)
    return mixture - canary * math.log(weight) - stable * math.log1p(-weight)


def judge(canary: float, stable: float, weight: float) -> Judgement:
    """The requests since the weight took effect, against the weight."""
    requests = canary + stable
    share = canary / requests if requests else 0.0
    figures = {"canary": canary, "stable": stable, "share": share, "weight": weight}
    if not requests or not 0 < weight < 1:
        return Judgement(Outcome.PASS, GATE, Rule.WITHIN, "no share to compare yet", figures)
    said = f"{percent(share)} of the requests went to the canary, {percent(weight)} is set ({canary:.0f} of {requests:.0f})"
    far = abs(share - weight) > _FLOOR * min(weight, 1 - weight)
    if far and log_mismatch(canary, stable, weight) >= -math.log(_ALPHA):
        return Judgement(Outcome.HOLD, GATE, Rule.MISMATCH, said, figures)
    return Judgement(Outcome.PASS, GATE, Rule.WITHIN, said, figures)
