"""What keeps forecasts good beside the loop: daily training, and models by name."""
