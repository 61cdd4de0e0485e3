"""How each platform runs a version: one platform, one file."""
