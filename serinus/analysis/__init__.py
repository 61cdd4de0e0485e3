"""How figures become a verdict: pure, no I/O, no clock, no release.

What a phase is, and what follows from a verdict, is `serinus.release`'s question.
"""
