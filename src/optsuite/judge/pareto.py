"""The Pareto frontier, and how much it dominates."""

from __future__ import annotations

from collections.abc import Sequence


def frontier(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the (cost, value) points that no other beats, by rising cost.

    A point is beaten by one that costs no more and is worth no less, and is better in one of the two; equal points
    are on the frontier together.
    """

    def beaten(cost: float, value: float) -> bool:
        return any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in points)

    return sorted((i for i, point in enumerate(points) if not beaten(*point)), key=lambda i: points[i])


def hypervolume(points: Sequence[tuple[float, float, float]], worst: tuple[float, float]) -> float:
    """Return the share that (cost, cost, value) points dominate of a box from 0 to the `worst` costs and values 0 to 1.

    A share from 0 to 1: how likely a random demand, two costs at most and a value at least, is met by one of them
    (Zitzler and Thiele 1998). Costs over the worst count for nothing.
    """
    first, second = worst
    inside = sorted(
        (cost / first, other / second, value) for cost, other, value in points if cost <= first and other <= second
    )
    volume = 0.0
    for place, (start, _, _) in enumerate(inside):
        end = inside[place + 1][0] if place + 1 < len(inside) else 1.0
        volume += (end - start) * _area([point[1:] for point in inside[: place + 1]])
    return volume


def _area(points: Sequence[tuple[float, float]]) -> float:
    """Return the share of the unit square that (cost, value) points dominate."""
    area, best = 0.0, 0.0
    ordered = sorted(points)
    for place, (cost, value) in enumerate(ordered):
        best = max(best, value)
        end = ordered[place + 1][0] if place + 1 < len(ordered) else 1.0
        area += (end - cost) * best
    return area
