"""Actions on the rollouts of workloads, in the order of the catalogue."""

from auto_healing.actions.action import Action
from auto_healing.actions.rollouts.pause_rollout import PauseRollout
from auto_healing.actions.rollouts.restart_rollout import RestartRollout
from auto_healing.actions.rollouts.roll_back import RollBack

ROLLOUT_ACTIONS: tuple[Action, ...] = (RestartRollout(), RollBack(), PauseRollout())
