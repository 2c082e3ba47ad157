"""Silences in Alertmanager: what one would mute, making and changing them, and keeping them as they were meant."""
