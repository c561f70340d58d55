"""Own metrics of the processes."""
