"""The embedded default: a cluster in memory, generated or recorded usage, a virtual clock."""
