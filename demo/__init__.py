"""The product's main job, shown: a real control plane, real faults, and what health_monitor says of them."""
