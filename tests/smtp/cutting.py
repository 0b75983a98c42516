"""Bytes cut into chunks, as a network may."""

import itertools


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    """`raw` in chunks (some may be empty), cut at `places`, each taken modulo the length."""
    edges = [0, *sorted(place % (len(raw) + 1) for place in places), len(raw)]
    return [raw[a:b] for a, b in itertools.pairwise(edges)]
