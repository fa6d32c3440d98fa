"""How many of something there are, in all and from one place."""

from __future__ import annotations

from collections import Counter


class Crowd:
    """Lets in `most` at once, and no more than `most_of_one` from one place."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._places: Counter[str] = Counter()
        self._everyone = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody more is let in."""
        return self._everyone >= self._most

    def enter(self, place: str, *, is_shared: bool = False) -> bool:
        """Let one more in, if there is room; then it has to `leave`.

        A shared place, as a proxy's, stands for very many.
        """
        if self.is_full or (not is_shared and self._places.get(place, 0) >= self._most_of_one):
            return False
        self._places[place] += 1
        self._everyone += 1
        return True

    def leave(self, place: str) -> None:
        """One has left. A place without any is forgotten."""
        self._everyone -= 1
        self._places[place] -= 1
        if not self._places[place]:
            del self._places[place]
