"""The version of this program; ``pyproject.toml`` reads it here, so that a checkout knows it uninstalled."""

VERSION = "0.1.0"
