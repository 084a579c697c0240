"""One memory per question: the facts within some steps of the entity that it is about."""

from kvnet.operations.facts import FactMemories
from kvnet.operations.find_facts import find_facts
from kvnet.operations.in_order_of_appearance import in_order_of_appearance


def find_memories(xp, index, asked, steps: int, memory_size: int, frequent: int):
    """Collect the facts around entities, those nearest to the entity asked about first.

    With one step this is the paper's key hashing by the entity. With more, the facts of the
    entities that the step before has reached are added, except those of entities in more than
    `frequent` facts: a genre or a year leads everywhere.

    Parameters
    ----------
    xp : module
        Array module.
    index : FactIndex
    asked : (B,) integer array
        Entities.
    steps : int
        From 1.
    memory_size : int
        Slots per question at most.
    frequent : int

    Returns
    -------
    memories : FactMemories

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 3.1, "key hashing".
    """
    B, N = len(asked), len(index.starts) - 1
    questions, entities = xp.arange(B), asked.astype("int64")
    known = questions * N + entities  # of each question, the entities reached so far
    of_slot, keys, edges = [], [], []
    for _ in range(steps):
        owners, found = find_facts(xp, index, entities)
        of_slot.append(questions[owners])
        keys.append(entities[owners])
        edges.append(found)
        reached = questions[owners] * N + index.entities[found]
        firsts, _ = in_order_of_appearance(xp, reached)
        reached = reached[xp.sort(firsts)]
        reached = reached[~xp.isin(reached, known)]
        known = xp.concatenate([known, reached])
        questions, entities = reached // N, reached % N
        rare = index.starts[entities + 1] - index.starts[entities] <= frequent
        questions, entities = questions[rare], entities[rare]
    of_slot, keys, edges = (xp.concatenate(parts) for parts in (of_slot, keys, edges))
    order = xp.argsort(of_slot, kind="stable")
    bounds = xp.searchsorted(of_slot[order], xp.arange(B + 1))
    places = xp.arange(len(order)) - bounds[of_slot[order]]
    kept = order[places < memory_size]
    sizes = xp.minimum(bounds[1:] - bounds[:-1], memory_size)
    starts = xp.concatenate([xp.zeros(1, "int64"), xp.cumsum(sizes)])
    keys, edges = keys[kept], edges[kept]
    used = xp.concatenate([asked, xp.stack([keys, index.entities[edges]], axis=1).reshape(-1)])
    firsts, numbers = in_order_of_appearance(xp, used)
    numbers = numbers.astype("int32")
    return FactMemories(
        starts,
        keys=numbers[B::2],
        values=numbers[B + 1 :: 2],
        relations=index.relations[edges],
        edges=edges,
        asked=numbers[:B],
        present=used[firsts].astype("int32"),
        left_out=bounds[1:] - bounds[:-1] - sizes,
    )
