"""One look at a cluster, without database and server: collect, evaluate, report.

Imported by the command line on a path that has to be quick and small: nothing here may load the web framework or
the database.
"""
