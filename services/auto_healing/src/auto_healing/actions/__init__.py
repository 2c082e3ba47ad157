"""Every remedy, in one list: the catalogue, the policy's schema and the permissions follow it."""

from auto_healing.actions.action import Action
from auto_healing.actions.cleanup import CLEANUP_ACTIONS
from auto_healing.actions.nodes import NODE_ACTIONS
from auto_healing.actions.pods import POD_ACTIONS
from auto_healing.actions.rollouts import ROLLOUT_ACTIONS

ACTIONS: tuple[Action, ...] = (*POD_ACTIONS, *ROLLOUT_ACTIONS, *NODE_ACTIONS, *CLEANUP_ACTIONS)

ACTIONS_BY_CODE = {action.code: action for action in ACTIONS}
