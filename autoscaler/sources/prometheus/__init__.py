"""Usage from servers that speak the Prometheus HTTP API."""
