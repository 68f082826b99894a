"""What is this repository's own: its tests run pytest in pytest."""

pytest_plugins = ["pytester"]
