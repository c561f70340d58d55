"""Pure library of the autoscaler: usage and policies in, decisions and reports out.

No clock, network, Kubernetes, environment or global state.  Time is int64 UTC seconds, amounts are
float arrays per worker and GPU device, and units stand in the names.
"""
