"""The GPUs of this node: what they are, and how much of them each process uses, by NVML."""
