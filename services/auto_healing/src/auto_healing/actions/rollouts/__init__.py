"""The actions on rollouts, in the order of the catalogue."""

from auto_healing.actions.action import Action

ROLLOUT_ACTIONS: tuple[Action, ...] = ()
