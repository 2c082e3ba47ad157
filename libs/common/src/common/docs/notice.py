"""What stands on top of every generated Markdown document."""

GENERATED = "<!-- Made by `make docs`. Do not edit. -->"
