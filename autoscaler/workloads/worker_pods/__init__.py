"""Worker pods of stand-alone and remote workloads: how many, from which template."""
