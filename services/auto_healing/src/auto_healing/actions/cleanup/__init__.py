"""The actions on cleanup, in the order of the catalogue."""

from auto_healing.actions.action import Action

CLEANUP_ACTIONS: tuple[Action, ...] = ()
