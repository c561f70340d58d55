"""What is shown of a tick beside its changes: recommendations, conditions, old wishes."""
