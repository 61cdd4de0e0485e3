"""Serinus: canary releases that give the traffic back.

Every import in here points at the domain (`release`, `analysis`); the domain knows neither Prefect, Kubernetes, the network
nor the clock.
"""
