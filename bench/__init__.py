"""The product's promises, measured: releases on real traffic, again and again. `python -m bench`; `--quick` for a look."""
