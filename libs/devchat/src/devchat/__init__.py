"""Slack and Microsoft Teams Workflows as local HTTP servers that are as strict as the vendors."""

from devchat.client import Chat
from devchat.faults import Fault
from devchat.record import Exchange, Message, Press
from devchat.settings import Settings
from devchat.starting import process, running

__all__ = ["Chat", "Exchange", "Fault", "Message", "Press", "Settings", "process", "running"]
