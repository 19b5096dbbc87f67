"""Rounds: every contender in turn, again and again, so that a busy moment of the machine hits them all alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median

from benchmarks.table import Figure, Measurement


class Rounds:
    """The values of each contender, a round after another.

    Args:
        contenders: What measures once, by name.
        count: How many rounds.
    """

    def __init__(self, contenders: Mapping[str, Callable[[], float]], count: int) -> None:
        self._values: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(count):
            # Every other round runs backwards, so that none always comes after the same other one.
            for name in list(contenders)[:: -1 if number % 2 else 1]:
                self._values[name].append(contenders[name]())

    def median(self, name: str) -> float:
        """Return the median of a contender's values."""
        return median(self._values[name])

    def best(self, name: str) -> float:
        """Return the lowest value of a contender, for times that noise can only make longer."""
        return min(self._values[name])

    def ratio(self, ours: str, peer: str) -> float:
        """Return the median of the rounds' ratios."""
        return median(a / b for a, b in zip(self._values[ours], self._values[peer], strict=True))

    def row(self, what: str, unit: str, ours: str, peer: str, figure: Figure | None = None) -> Measurement:
        """Return the row of the table that compares two contenders: their medians, and the ratio of the rounds.

        Args:
            what: What was measured, on our side.
            unit: The unit of both values.
            ours: The name of our contender.
            peer: The name of the other one, as the table shows it.
            figure: What is to be reached, if anything.
        """
        return Measurement(what, unit, self.median(ours), peer, self.median(peer), self.ratio(ours, peer), figure)
