"""What an incident is, and what changes it: posts, people, notices, time."""
