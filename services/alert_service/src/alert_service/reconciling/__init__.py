"""What Alertmanager says and what stands here, compared."""
