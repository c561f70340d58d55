"""The loop: collect -> decide -> validate -> apply, the same code live and simulated."""
