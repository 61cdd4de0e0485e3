"""The same faults for this product and for Flagger, on one real Kubernetes. `python -m bench.kubernetes`; `--quick` for a look."""
