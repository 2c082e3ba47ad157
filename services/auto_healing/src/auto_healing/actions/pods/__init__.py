"""The actions on pods, in the order of the catalogue."""

from auto_healing.actions.action import Action

POD_ACTIONS: tuple[Action, ...] = ()
