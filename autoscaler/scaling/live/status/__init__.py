"""The autoscaler's part of a workload's status: what it means, and what it is to say.  Pure."""
