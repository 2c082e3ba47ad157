"""What the services share: contracts, the cluster view, database and web. Imports no service."""
