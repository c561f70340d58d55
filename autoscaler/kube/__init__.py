"""Everything that talks to an API server; the only home of the Kubernetes client."""
