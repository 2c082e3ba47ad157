"""Decides what ends a fault, does it, proves that it helped, undoes it when not, and accounts for all of it."""
