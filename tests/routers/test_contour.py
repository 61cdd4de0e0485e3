from __future__ import annotations

from typing import Any

import pytest

from serinus.kube.split_router import Word
from serinus.routers.contour import word


def a_proxy(generation: int = 4, **condition: Any) -> dict[str, Any]:
    conditions = [{"type": "Valid", **condition}] if condition else []
    return {"metadata": {"name": "front", "generation": generation}, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ({"metadata": {"generation": 1}}, Word(seen=False)),
        (a_proxy(), Word(seen=False)),
        (a_proxy(status="True"), Word(seen=False)),
        (a_proxy(status="True", observedGeneration=3), Word(seen=False)),
        (a_proxy(status="False", observedGeneration=3, message="no"), Word(seen=False)),
        (a_proxy(status="True", observedGeneration=4), Word(seen=True)),
        (a_proxy(status="True", observedGeneration=5), Word(seen=True)),
        (a_proxy(status="False", observedGeneration=4, message="At least one error"), Word(True, "At least one error")),
        (a_proxy(status="False", observedGeneration=4), Word(True, "invalid")),
        (
            a_proxy(
                status="False",
                observedGeneration=4,
                message="see Errors",
                errors=[{"message": 'service "n/shop" not found'}, {"message": "bad policy"}],
            ),
            Word(True, 'service "n/shop" not found; bad policy'),
        ),
    ],
)
def test_contour_s_word(proxy: dict[str, Any], said: Word) -> None:
    assert word(proxy) == said
