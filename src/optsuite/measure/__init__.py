"""Measuring: what needs a quiet machine, and the record of one run."""
