"""The platform on one machine: demo service, Envoy, Prometheus, Prefect server, supervisor and guard."""
