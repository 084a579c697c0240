"""What it takes to generate questions with the simulator: memory, disk space and time."""

import shutil
from pathlib import Path

from tqdm import tqdm

from kvnet.errors import InputError
from kvnet.free_memory import check_memory, size_text

# Estimates from below, measured with each task.
BYTES_IN_MEMORY = 700  # per question
BYTES_IN_FILE = 60
SECONDS_PER_QUESTION = 40e-6  # the mean over the tasks
SECONDS_ANNOUNCED = 5


def check_generation(questions: int, flag: str) -> None:
    """Refuse to generate more questions than fit into memory; `flag` sets their number."""
    check_memory(
        BYTES_IN_MEMORY * questions, f"{flag}: making {questions:,} questions", "use fewer"
    )


def check_disk_space(folder: Path, questions: int, flag: str) -> None:
    """Refuse to write files that are larger than the free space of their disk."""
    needed, free = BYTES_IN_FILE * questions, shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{flag}: {questions:,} questions in all files need at least {size_text(needed)}, but "
            f"{folder} has {size_text(free)} free; use fewer"
        )


def generation_text(questions: int) -> str | None:
    """Say how long it takes to generate questions, or return None if it is quick."""
    seconds = SECONDS_PER_QUESTION * questions
    if seconds < SECONDS_ANNOUNCED:
        return None
    return f"making {questions:,} questions takes about {tqdm.format_interval(seconds)}"
