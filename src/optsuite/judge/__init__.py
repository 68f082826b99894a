"""Judgements on records: accuracy drops, invariants, comparisons, frontiers, recommendations, histories."""
