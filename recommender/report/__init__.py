"""Reports: one model, and a pure renderer per format."""
