"""The cluster behind the live loop: what its API server says, and what is written to it."""
