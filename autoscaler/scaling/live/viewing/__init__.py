"""What the loop sees: the views of the workloads, made anew only where something changed."""
