"""Takes alerts and healing notices to people, and brings their answers back."""
