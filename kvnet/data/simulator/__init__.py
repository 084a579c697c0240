"""The bAbI world simulator: generate the stories of all 20 tasks, and answer questions exactly.

- `generate` generates stories. `solve` answers any question about a story.
- `world` holds the state of the world after the sentences so far.
- `places`, `possessions`, `times`, `relations`, `sizes`, `kinds` and `motives` define the events
  (sentences) and the queries (questions) of one subject each.
- `stories` holds one generator function per task: which events happen and which questions follow.
- `exact_solver` parses text into events and queries.
"""

from kvnet.data.simulator.exact_solver import solve
from kvnet.data.simulator.tasks import generate
from kvnet.data.simulator.world import Solution

__all__ = ["Solution", "generate", "solve"]
