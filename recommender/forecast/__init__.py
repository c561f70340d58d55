"""Forecasts of demand: experts, their calibration, which of them count, and when none does."""
