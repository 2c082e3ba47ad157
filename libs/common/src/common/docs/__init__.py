"""Documents made from code: each service lists its own, and they are compared with the code in CI."""
