"""The one error of this library that a user sees."""


class DevClusterError(Exception):
    """Something about a cluster did not work; the text is for the user and says what to do."""
