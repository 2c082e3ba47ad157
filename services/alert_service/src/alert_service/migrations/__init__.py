"""Alembic's scripts for schema `healing`."""
