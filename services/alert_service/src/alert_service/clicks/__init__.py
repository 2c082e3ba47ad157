"""The way back: presses of buttons and signed links."""
