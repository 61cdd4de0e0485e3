"""The story of a release: order, branching, waiting, undo. No HTTP, no PromQL, no statistics: flows call tasks."""
