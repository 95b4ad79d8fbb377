"""Policies: in which order targets are tried. Pure functions from values to places.

Each returns a permutation of range(n): first choice first, then whom to turn to when that fails.
Whether a target can be used at all is not asked here. Randomness is an argument.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b

Random = Callable[[], float]


def weighted(weights: Sequence[int], random: Random) -> list[int]:
    """Drawn by weight without replacement; places of weight 0 come last, in their order."""
    left = [place for place, weight in enumerate(weights) if weight > 0]
    standby = [place for place, weight in enumerate(weights) if weight <= 0]
    order: list[int] = []
    while left:
        point = random() * sum(weights[place] for place in left)
        for place in left:
            point -= weights[place]
            if point < 0:
                break
        else:
            place = left[-1]
        left.remove(place)
        order.append(place)
    return order + standby


def latency(costs: Sequence[float], random: Random) -> list[int]:
    """The cheaper of two drawn at random first (power of two choices), the others by cost.

    Drawing two, instead of taking the best of all, keeps many requests from running to one target
    before its load shows. One whose cost is 0 is unknown, and so is tried when drawn.
    """
    places = list(range(len(costs)))
    if len(places) < 2:
        return places
    first = int(random() * len(places)) % len(places)
    second = int(random() * (len(places) - 1)) % (len(places) - 1)
    second += second >= first
    chosen = second if costs[second] < costs[first] else first
    places.remove(chosen)
    return [chosen, *sorted(places, key=costs.__getitem__)]


def cheapest(costs: Sequence[int]) -> list[int]:
    """By cost; equals in their order."""
    return sorted(range(len(costs)), key=costs.__getitem__)


def sticky(key: bytes, names: Sequence[str]) -> list[int]:
    """Rendezvous hashing: by a hash of key and name, so that each key has an order of its own.

    A target that leaves or joins moves only the keys whose first choice it was or becomes.
    """

    def score(place: int) -> bytes:
        return blake2b(names[place].encode(), key=key[:64], digest_size=8).digest()

    return sorted(range(len(names)), key=score, reverse=True)
