"""Examinations: what can be found out of the bytes of a file, one module each."""
