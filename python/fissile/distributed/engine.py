"""What an engine is: something that calls a function for every task, on some machine, at least once.

A task may run twice, even at the same time, when an engine takes a worker for dead: tasks write one file, under its name
only when it is complete, and the same bytes whoever writes it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Protocol

__all__ = ["Engine"]


class Engine(Protocol):
    """Runs the tasks of a job on the machines of a cluster."""

    def __call__(self, function: Any, tasks: Sequence[Any], cpus: int, /) -> Generator[int, None, None]:
        """Call function(task) for every task.

        Args:
            function: a function of this package, importable on every worker. What it returns is of no use.
            tasks: of one job; they pickle, and none waits for another.
            cpus: how many CPUs a task uses.

        Yields:
            The index of each task that is done, in any order.

        Raises:
            What a task raised. Tasks that have not begun by then, or when the generator is closed, are not run.
        """
        ...
