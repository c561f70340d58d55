"""Causal replay of recorded usage through ``decide``, open and closed loop, with scores."""
