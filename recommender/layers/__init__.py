"""The three layers and their guard rails: pure functions over arrays of all workloads."""
