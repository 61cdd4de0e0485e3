"""How people are told: one channel, one file."""
