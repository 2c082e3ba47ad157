"""What can be asked of the present state: lists, single objects, explanations."""
