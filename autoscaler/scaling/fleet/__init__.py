"""Fleets that come from files and servers, without the API of a cluster."""
