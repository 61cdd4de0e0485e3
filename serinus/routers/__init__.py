"""How each router carries weights and mark: one vendor, one file."""
