"""Which pod and container a process of this node belongs to, by what the kernel says of it."""
