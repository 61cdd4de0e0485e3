"""One move each, with its retries, its timeout and its name in the UI. No decisions, no loops."""
