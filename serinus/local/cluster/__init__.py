"""A real Kubernetes on this machine without containers: what starts it, what it is made of, and how it is reached.

Holds no tests and no release: to what it serves it is a cluster like any other.
"""
