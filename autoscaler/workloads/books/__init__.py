"""GPUs and quotas: what there is, what each worker holds of it, exact at any moment."""
