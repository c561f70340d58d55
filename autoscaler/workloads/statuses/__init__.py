"""What GPUs, pools and quotas show of the books."""
