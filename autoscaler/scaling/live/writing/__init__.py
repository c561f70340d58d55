"""From the changes of a tick to statuses that say them."""
