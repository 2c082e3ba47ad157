"""Cleanup on its schedule: looking, marking, telling, and proposing what may go. Deleting is its actions' part."""
