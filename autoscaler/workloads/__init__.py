"""The controller: workloads from admitted pods, GPUs for workers, and decisions put in force."""
