"""What surrounds devices: their links and when they are online, each kind with its section of the scenario.

This package is below `scenario`, which reads its sections, so that a kind and its section stand in one file.
"""
