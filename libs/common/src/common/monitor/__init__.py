"""health_monitor, as the services see it that go by its events: its address, its REST API, its webhooks."""
