"""The replicas of a workload: where they are set, who else sets them, what is remembered."""
