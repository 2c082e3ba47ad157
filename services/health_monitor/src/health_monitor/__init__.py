"""Watches a cluster, scores what it sees and tells what changed."""
