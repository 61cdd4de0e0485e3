"""The moves of a release over ports, a file each: what tasks, CLI and guard all call."""
