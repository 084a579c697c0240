"""The memory that is free, and the refusal of what needs more."""

import os
from pathlib import Path

import psutil

from kvnet.errors import InputError

CONTAINER_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # cgroup versions 2 and 1
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def free_memory() -> int:
    """Return the bytes of memory that this process can still use: of the machine and its limits."""
    own = psutil.Process().memory_info()
    free = [psutil.virtual_memory().available]
    for name in CONTAINER_LIMITS:
        try:
            free.append(int((Path("/sys/fs/cgroup") / name).read_text()) - own.rss)
        except (OSError, ValueError):  # no such limit, or "max"
            continue
    if os.name == "posix":
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            free.append(limit - own.vms)
    return max(min(free), 0)


def check_memory(needed: int, what: str, remedy: str) -> None:
    """Refuse what needs more memory than is free.

    Parameters
    ----------
    needed : int
        Bytes; an estimate from below.
    what, remedy : str
        For the message.

    Raises
    ------
    InputError
    """
    free = free_memory()
    if needed > free:
        raise InputError(
            f"out of memory: {what} needs at least {size_text(needed)}, but {size_text(free)} is "
            f"free; {remedy}"
        )


def size_text(count: int) -> str:
    """Return a number of bytes as text: ``"1.5 GB"``."""
    power = 0
    while count >= 1000 ** (power + 1) and power < len(UNITS) - 1:
        power += 1
    return f"{count / 1000**power:,.3g} {UNITS[power]}"
