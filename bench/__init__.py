"""Benchmarks: one file each, one report. They measure and never fail for being slow."""
