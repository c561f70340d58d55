"""What people and programs may look at: the review page and the JSON API."""
