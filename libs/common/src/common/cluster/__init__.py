"""The one typed view of a cluster: rows, the reflectors that fill them, the store that indexes them."""
