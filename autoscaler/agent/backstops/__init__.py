"""What is done to workers that bypass the limiter; nothing, unless a policy says so."""
