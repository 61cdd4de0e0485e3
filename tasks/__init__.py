"""One move each: its retries, its time-out, its name in the Prefect UI. No decisions, no loops."""
