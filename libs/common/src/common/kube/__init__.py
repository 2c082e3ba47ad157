"""Talking to the API server: connecting, reading, writing, electing a leader, asking who may do what."""
