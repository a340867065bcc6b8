"""Which faults a seed has in store: each kind is on or off, and strikes at random while the bad times last.

Never does harm itself: it is asked, at each place where something may go wrong, whether it does now.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal[
    "duplicate record",
    "late record",
    "publish fails",
    "publish fails unheard",
    "rebalance",
    "offset commit fails",
    "offset commit unheard",
    "connection lost",
    "commit fails",
    "commit unheard",
    "deadlock reported",
    "slow statement",
    "late notification",
    "slow lock",
    "slow commit",
    "process killed",
    "process killed before commit",
    "process killed after commit",
    "process stopped",
    "process stopped at the store",
    "process stopped at the database",
    "process stopped holding locks",
    "replica ends",
    "replica comes",
    "clock jumps",
    "old records dropped",
    "store unavailable",
    "slow store",
    "job fails",
    "job fails for good",
    "job lost",
    "job slow",
    "job deaf",
    "job finishes unseen",
    "backend unavailable",
    "submission unheard",
    "process stopped in a decision",
    "every trainer stopped",
    "slow admission",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
# How often a kind strikes where it can, in the worst seeds; a seed draws its own share of this.
WORST: dict[Kind, float] = {
    "duplicate record": 0.3,
    "late record": 0.3,
    "publish fails": 0.15,
    "publish fails unheard": 0.15,
    "rebalance": 0.04,
    "offset commit fails": 0.4,
    "offset commit unheard": 0.2,
    "connection lost": 0.015,
    "commit fails": 0.08,
    "commit unheard": 0.08,
    "deadlock reported": 0.03,
    "slow statement": 0.02,
    "late notification": 0.3,
    "slow lock": 0.5,
    "slow commit": 0.08,
    "process killed": 0.04,
    "process killed before commit": 0.02,
    "process killed after commit": 0.02,
    "process stopped": 0.04,
    "process stopped at the store": 0.04,
    "process stopped at the database": 0.006,
    "process stopped holding locks": 0.03,
    "replica ends": 0.03,
    "replica comes": 0.02,
    "clock jumps": 0.03,
    "old records dropped": 0.1,
    "store unavailable": 0.15,
    "slow store": 0.1,
    "job fails": 0.3,
    "job fails for good": 0.15,
    "job lost": 0.25,
    "job slow": 0.6,
    "job deaf": 0.9,
    "job finishes unseen": 0.3,
    "backend unavailable": 0.02,
    "submission unheard": 0.3,
    "process stopped in a decision": 0.1,
    "every trainer stopped": 0.15,
    "slow admission": 0.9,
}
FAVOURED_ALONE = frozenset[Kind]({"process stopped in a decision", "every trainer stopped", "slow admission"})
"""Kinds that strike only where they are favoured."""
AT_WORST: dict[Kind, tuple[float, ...]] = {"process stopped holding locks": (0.1, 0.1, 0.3, 1.0)}
"""Shares of the worst for favoured kinds, where not simply all: schedulers that write signs of life twice a second and
are stopped whenever they can be never hear for a whole lease, and so judge nobody."""
LEASE_S = 20.0
"""How long an attempt counts as alive without a sign of life."""
ABOUT_A_LEASE_S, AND_A_SESSION_S = (17.0, 26.0), (31.0, 40.0)
"""When what has just been given up comes back; and when that happens to those who have taken over."""
PAST_A_LEASE_S = (22.0, 32.0)
"""When what has been given up comes back, and what was to take its place has been asked for."""


@dataclass
class Faults:
    """A seed's faults. `without` are kinds switched off, `only` the numbers of strikes allowed (None: all)."""

    seed: int
    without: Collection[Kind] = ()
    favoured: Collection[Kind] = ()
    """Kinds that are at their worst."""
    only_favoured: bool = False
    only: Collection[int] | None = None
    now: Callable[[], float] = lambda: 0.0
    tell: Callable[[str], None] = lambda _: None
    bad_until: float = 60.0
    struck: Counter[str] = field(default_factory=Counter)
    strikes: int = 0

    def __post_init__(self) -> None:
        draw = random.Random(f"faults {self.seed}")
        usual = [kind for kind in KINDS if kind not in FAVOURED_ALONE]
        shares: dict[Kind, float] = {kind: WORST[kind] * draw.choice((0.0, 0.0, 0.3, 0.6, 1.0)) for kind in usual}
        if self.only_favoured:
            shares = dict.fromkeys(KINDS, 0.0)
        worst = random.Random(f"at worst {self.seed}")
        shares |= {kind: WORST[kind] * worst.choice(AT_WORST.get(kind, (1.0,))) for kind in self.favoured}
        self.bad_until = draw.choice((20.0, 40.0, 60.0))
        self.shares = {kind: 0.0 if kind in self.without else shares.get(kind, 0.0) for kind in KINDS}
        self._draws = {kind: random.Random(f"{kind} {self.seed}") for kind in KINDS}

    def strikes_now(self, kind: Kind, where: str = "") -> bool:
        """Whether this kind of fault happens here and now."""
        share = self.shares[kind]
        if share == 0.0 or self.now() >= self.bad_until or self._draws[kind].random() >= share:
            return False
        self.strikes += 1
        if self.only is not None and self.strikes not in self.only:
            return False
        self.struck[kind] += 1
        self.tell(f"fault: {kind}{f' ({where})' if where else ''}")
        return True

    def between(self, kind: Kind, least: float, most: float) -> float:
        """A number that goes with a fault, drawn from its kind's own stream."""
        return self._draws[kind].uniform(least, most)

    def lasting(self, kind: Kind, most: float, about: Sequence[tuple[float, float]] = (ABOUT_A_LEASE_S,)) -> float:
        """How many seconds a fault lasts: any time up to `most`, or about as long as something that matters."""
        draw = self._draws[kind]
        return draw.uniform(*draw.choice(((0.5, most), *about)))
