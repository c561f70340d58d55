"""Which GPUs a pod gets, the write that says so, and who makes room for it."""
