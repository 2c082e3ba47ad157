"""What is asked of others over HTTP: Alertmanager, Prometheus and auto_healing."""
