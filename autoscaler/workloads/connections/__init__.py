"""Clients and the workers that serve them."""
