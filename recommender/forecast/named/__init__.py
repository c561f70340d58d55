"""One series at a time, by statsmodels: models by name, seasons, and what goes with them.

For reports, back-tests and a few workloads of the live loop; forecasts of a fleet are batched and
stand in ``recommender.forecast``.
"""
