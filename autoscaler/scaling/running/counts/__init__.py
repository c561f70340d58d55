"""What the process did and holds, as plain values for its metrics."""
