"""How the record and the evidence are kept: one platform, one file."""
