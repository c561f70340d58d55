"""What pods ask of nodes and take of them, as the scheduler will see it."""
