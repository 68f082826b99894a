"""Artifacts on disk, and bundles of them."""
