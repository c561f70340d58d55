"""The three profiles of the process: what each puts around the loop."""
