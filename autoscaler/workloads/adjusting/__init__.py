"""What was decided for running workers, put in force within capacity and quota."""
