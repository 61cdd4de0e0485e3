"""How figures are asked: one backend, one file; and which series each source has."""
