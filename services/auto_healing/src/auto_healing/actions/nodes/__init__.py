"""The actions on nodes, in the order of the catalogue."""

from auto_healing.actions.action import Action
from auto_healing.actions.nodes.cordon import Cordon
from auto_healing.actions.nodes.drain import Drain
from auto_healing.actions.nodes.move_pod import MovePod
from auto_healing.actions.nodes.reschedule import RescheduleFromNode
from auto_healing.actions.nodes.uncordon import Uncordon

NODE_ACTIONS: tuple[Action, ...] = (Cordon(), Uncordon(), Drain(), MovePod(), RescheduleFromNode())
