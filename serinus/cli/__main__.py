"""`python -m serinus.cli`: the same as the console script, for a child process that must use this very interpreter."""

from serinus.cli import main

main()
