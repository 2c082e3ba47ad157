"""Fixtures that tests of every kind share."""

pytest_plugins = ["tests.support.monitoring", "tests.support.postgres"]
