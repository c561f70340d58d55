"""What is done to workers whose use is unaccounted; nothing, unless a policy says so."""
