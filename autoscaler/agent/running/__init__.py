"""The process of a node: its loops over GPUs and workers, and what it shows of itself."""
