"""The two version numbers that this package shares with interfaces/cambium/version.hpp."""

__version__ = "0.1.0"

WIRE_PROTOCOL = 1
"""Of the messages between controller, command line and host; a host refuses another one."""
