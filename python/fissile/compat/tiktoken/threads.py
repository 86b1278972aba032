"""One call on many items, in threads: decoding lets go of the GIL while it puts bytes together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["check_threads", "in_threads"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_ITEMS_A_THREAD = 256  # fewer are done before a thread has started


def check_threads(num_threads: int) -> None:
    """ValueError if so many threads cannot be."""
    if num_threads < 1:
        raise ValueError(f"num_threads must be at least 1, not {num_threads}")


def in_threads(call: Callable[[Item], Result], items: Iterable[Item], num_threads: int) -> list[Result]:
    """The results, in order; of several errors the first item's is raised."""
    check_threads(num_threads)
    all_items = list(items)
    n_parts = min(num_threads, len(all_items) // _ITEMS_A_THREAD)
    if n_parts < 2:
        return [call(item) for item in all_items]
    step = -(-len(all_items) // n_parts)
    parts = [all_items[begin : begin + step] for begin in range(0, len(all_items), step)]
    with ThreadPoolExecutor(n_parts) as pool:
        return [result for part in pool.map(lambda part: [call(item) for item in part], parts) for result in part]
