"""The doctor for files: manifests, settings and workloads files, each problem with its place."""
