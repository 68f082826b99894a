"""One module a stage: its settings and what it does to a model."""
