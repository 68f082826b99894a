"""Building: steps and their keys, the graph, the scheduler and the workers."""
