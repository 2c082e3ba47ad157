"""Where pods would run if they were taken away from where they are."""

from auto_healing.placement.placements import Placements

__all__ = ["Placements"]
