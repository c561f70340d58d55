"""The node agent: what its GPUs are, what workers may use of them, and what they do use."""
