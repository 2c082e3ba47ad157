"""A real, disposable Kubernetes control plane without containers."""
