"""The workers of this node: what is in force for each."""
