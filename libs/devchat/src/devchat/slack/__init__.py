"""Slack: Web API, incoming webhooks, response_url, and signed presses."""
