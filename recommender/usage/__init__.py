"""The usage model: what is kept of every worker's samples, and the statistics read from it."""
