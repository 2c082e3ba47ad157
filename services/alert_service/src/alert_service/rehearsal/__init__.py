"""The notification tests: every card on every channel, buttons, timing, an escalation, and what arrived when."""
