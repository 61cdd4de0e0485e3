"""The node of that cluster: the kubelet's part, with processes in place of containers."""
