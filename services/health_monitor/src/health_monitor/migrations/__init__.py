"""Alembic's scripts for schema `health`; they ship with the service and run when it starts."""
