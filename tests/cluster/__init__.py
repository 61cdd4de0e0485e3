"""A real Kubernetes for tests, without containers: real control plane, router and metrics; only the kubelet is ours."""
