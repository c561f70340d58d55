"""Collecting: from a metrics source into the usage model."""
