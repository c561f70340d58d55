"""TensorFusionWorkloads from admitted pods, and their status."""
