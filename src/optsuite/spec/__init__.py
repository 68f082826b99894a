"""The vocabulary: data, metrics, models, stages, recipes, variants and experiments, as frozen dataclasses."""
