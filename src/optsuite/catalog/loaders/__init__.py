"""Loaders of users' data, one module per source."""
