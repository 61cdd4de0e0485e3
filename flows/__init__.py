"""Order, branching, undo: the story of a release. No HTTP, no PromQL, no statistics; begin with `release.py`."""
