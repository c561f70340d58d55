"""What each worker has used, and what of its use is unaccounted."""
