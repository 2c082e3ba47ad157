"""Decides what is wrong and what it costs: pure, incremental, told the time."""
