"""The course of the process: jobs and their times, the lead, the start and the end."""
