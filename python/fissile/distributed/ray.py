"""Jobs on Ray: a remote function call a task.

Plain Ray tasks and not Ray Data: a task here is a file name in and a file out, so there are no blocks of rows for Ray
Data to move or hold, and `ray[data]` would ask for pandas and pyarrow besides.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Ray"]

_POLL_SECONDS = 0.05  # how long an interrupt may wait
_GRACE_SECONDS = 1.0  # how long a task may go on that was asked to end


@dataclass(frozen=True)
class Ray:
    """The cluster that this process is connected to (`ray.init(address=...)`); without one, Ray starts its own here.

    Args:
        retries: how often Ray runs a task again whose worker died (killed, out of memory, its machine gone). An error
            that a task raises, such as a broken file, is not retried: it would be raised again.
        options: further ones of `ray.remote`, such as {"memory": 4 << 30, "scheduling_strategy": "SPREAD"}.
    """

    retries: int = 3
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, function: Any, tasks: Sequence[Any], cpus: int, /) -> Generator[int, None, None]:
        """As of `Engine`.

        Raises:
            ImportError: the ray package is not installed.
            ray.exceptions.RayError: a task's worker died more often than `retries` allows, or the cluster is gone.
        """
        try:
            import ray
        except ImportError:
            raise ImportError("running on Ray needs the ray package: pip install 'fissile[ray]'") from None

        remote = ray.remote(num_cpus=cpus, max_retries=self.retries, **self.options)(function)
        numbers = {remote.remote(task): i for i, task in enumerate(tasks)}
        pending = list(numbers)
        try:
            while pending:
                done, pending = ray.wait(pending, num_returns=len(pending), timeout=_POLL_SECONDS, fetch_local=False)
                for reference in done:
                    try:
                        ray.get(reference)
                    except ray.exceptions.RayTaskError as error:
                        raise error.cause from None
                    yield numbers[reference]
        finally:
            # A worker that is asked ends its task between two steps of Python, but may be in one that loses the request.
            for reference in pending:
                ray.cancel(reference)
            if pending:
                _, running = ray.wait(pending, num_returns=len(pending), timeout=_GRACE_SECONDS, fetch_local=False)
                for reference in running:
                    ray.cancel(reference, force=True)
