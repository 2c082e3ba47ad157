"""Fixtures that tests of every kind share."""

pytest_plugins = ["tests.support.postgres"]
