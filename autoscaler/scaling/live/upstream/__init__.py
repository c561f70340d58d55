"""Beside an upstream operator: its workers as a fleet, decisions as answers to it."""
