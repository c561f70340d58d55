"""Taking the installation out of the way of pods, and what stays."""
