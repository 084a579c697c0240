"""The bAbI world simulator: it writes the stories of all 20 tasks, and reads and answers them.

- `generate` writes stories, `solve` answers any question about one.
- `world` holds what a story has told; `places`, `possessions`, `times`, `relations`, `sizes`,
  `kinds` and `motives` hold what can be said and asked, and what that does to the world.
- `stories` holds the 20 tasks: what happens, and what is asked when.
"""

from kvnet.data.simulator.reader import solve
from kvnet.data.simulator.tasks import generate
from kvnet.data.simulator.world import Solution

__all__ = ["Solution", "generate", "solve"]
