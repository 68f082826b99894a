"""Benchmarks of Keras models optimised for TFLite: accuracy, size and latency, as pytest tests."""

__version__ = "0.2.0"
