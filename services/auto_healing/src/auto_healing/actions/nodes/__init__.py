"""The actions on nodes, in the order of the catalogue."""

from auto_healing.actions.action import Action

NODE_ACTIONS: tuple[Action, ...] = ()
