"""Which GPUs the kubelet gave to pods whole, past this project."""
