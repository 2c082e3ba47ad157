"""From the API server's JSON to rows: lean shapes of what is read of each kind, and how each becomes a row.

The shapes name only the fields that are needed, in the order in which the API server writes them, which decodes
quickest; msgspec skips all else. Everything may be absent or null.
"""
