"""Services around the recommender: everything that touches the world."""
