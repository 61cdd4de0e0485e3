"""What several adapters of Kubernetes share: the client, its errors, names, the mark on a route, the split of its traffic.

It knows objects of an API server, not what a release does with them.
"""
