"""The actions on pods, in the order of the catalogue."""

from auto_healing.actions.action import Action
from auto_healing.actions.pods.delete_pod import DeletePod
from auto_healing.actions.pods.evict_pod import EvictPod
from auto_healing.actions.pods.restart_surge_first import RestartSurgeFirst

POD_ACTIONS: tuple[Action, ...] = (DeletePod(), EvictPod(), RestartSurgeFirst())
