"""What each worker has used, and what it used beside the limiter."""
