"""What each worker gets of a GPU that several share, and how its costs are corrected."""
