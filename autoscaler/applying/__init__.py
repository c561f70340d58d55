"""Writes recommendations of a report as the stated values of workloads, when a person asks."""
