"""Stages and conversions, one module each: the settings, and what is done to a model."""
