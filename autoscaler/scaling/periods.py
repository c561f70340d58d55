"""How often the loop looks, where nobody says otherwise: one truth for loop and process.

How often a workload's requests are evaluated is its policy's ``evaluationPeriod``, 10 minutes by
default; a look in between begins and ends cron windows, and takes harmful decreases back.
"""

TICK_S = 15
"""Between two ticks of limits and replicas."""
REQUESTS_LOOK_S = 60
"""Between two looks at requests."""
