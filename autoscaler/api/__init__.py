"""The Kubernetes API of TensorFusion: names, kinds, schemas; no client and no behaviour."""
