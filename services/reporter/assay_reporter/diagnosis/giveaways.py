"""What gives the chosen side of preference pairs away: how well its source, length or format alone predict it.

Judges cues, never answers; a cue may be there because it is liked, which only interventions tell.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from assay_reporter.diagnosis.rows import Row, is_preference, prompt_of, side_of
from assay_reporter.diagnosis.sheet import fingerprint
from assay_reporter.diagnosis.surface import NAMES, lengths, surface

FloatArray = npt.NDArray[np.float64]
FOLDS = 5
RIDGE = 1.0
MOST_PAIRS = 4000
FEWEST_PAIRS = 50
NEWTON_STEPS = 12
MOST_SOURCES = 30


@dataclass(frozen=True)
class Cue:
    """`auc`: of telling by this cue alone which of a pair is the chosen one, cross-validated; `interval` 95 %;
    `strongest`: the features that say most, as (name, which side has more of it)."""

    name: str
    auc: float
    interval: tuple[float, float]
    strongest: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Giveaways:
    """Of the pairs looked at: the cues, strongest first, and how often each source's answer was the chosen one."""

    pairs: int
    cues: list[Cue]
    chosen_rates: dict[str, tuple[int, int]]


def giveaways_of(rows: Sequence[Row]) -> Giveaways | None:
    """None where there are fewer than 50 pairs."""
    pairs = [row for row in rows if is_preference(row)]
    pairs = pairs[:: max(1, -(-len(pairs) // MOST_PAIRS))]
    if len(pairs) < FEWEST_PAIRS:
        return None
    groups = [fingerprint(prompt_of(row)) for row in pairs]
    sides = {side: [side_of(row, side) for row in pairs] for side in ("chosen", "rejected")}
    cues = [
        _cue("length", ["words"], lengths, sides, groups),
        _cue("format", NAMES, surface, sides, groups),
    ]
    rates: dict[str, tuple[int, int]] = {}
    for column in source_columns(pairs):
        values = {side: [str(row.get(f"{side}_{column}")) for row in pairs] for side in ("chosen", "rejected")}
        known = [name for name, _ in Counter(values["chosen"] + values["rejected"]).most_common(MOST_SOURCES)]
        cues.append(_cue(column, known, lambda texts, known=known: _one_hot(texts, known), values, groups))  # type: ignore[misc]
        rates |= {f"{column} {name}": _rate(name, values) for name in known}
    return Giveaways(len(pairs), sorted(cues, key=lambda cue: -cue.auc), rates)


def source_columns(rows: Sequence[Row]) -> list[str]:
    """What is known of both sides apart from their text: `source` where rows have chosen_source, rejected_source."""
    columns = dict.fromkeys(name.removeprefix("chosen_") for row in rows for name in row if name.startswith("chosen_"))
    return [name for name in columns if any(row.get(f"rejected_{name}") is not None for row in rows)]


def _rate(name: str, values: Mapping[str, Sequence[str]]) -> tuple[int, int]:
    """(times chosen, times there), pairs of the same source on both sides left out: they tell nothing."""
    won = lost = 0
    for chosen, rejected in zip(values["chosen"], values["rejected"], strict=True):
        if chosen != rejected:
            won += chosen == name
            lost += rejected == name
    return won, won + lost


def _one_hot(texts: Sequence[str], known: Sequence[str]) -> FloatArray:
    place = {name: column for column, name in enumerate(known)}
    found = np.zeros((len(texts), len(known)))
    for row, text in enumerate(texts):
        if text in place:
            found[row, place[text]] = 1.0
    return found


def _cue(
    name: str,
    features: Sequence[str],
    measure: Callable[[Sequence[str]], FloatArray],
    sides: Mapping[str, Sequence[str]],
    groups: Sequence[str],
) -> Cue:
    chosen, rejected = measure(sides["chosen"]), measure(sides["rejected"])
    spread = np.vstack([chosen, rejected]).std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    chosen, rejected = chosen / scale, rejected / scale
    margins = held_out_margins(chosen - rejected, groups)
    value, error = auc(margins, groups)
    weights = fitted(chosen - rejected)
    strongest = np.argsort(-np.abs(weights))[:3]
    said = tuple(
        (features[at], "chosen" if weights[at] > 0 else "rejected") for at in strongest if abs(weights[at]) > 0.1
    )
    return Cue(name, value, (max(0.0, value - 1.96 * error), min(1.0, value + 1.96 * error)), said)


def held_out_margins(differences: FloatArray, groups: Sequence[str]) -> FloatArray:
    """By how much the chosen side wins, from weights fitted without its fold; equal prompts share a fold. (P,)."""
    fold = np.array([zlib.crc32(group.encode("utf-8", "surrogatepass")) % FOLDS for group in groups])
    margins = np.zeros(len(differences))
    for number in range(FOLDS):
        held = fold == number
        margins[held] = differences[held] @ fitted(differences[~held])
    return margins


def fitted(differences: FloatArray) -> FloatArray:
    """Weights w that maximise the sum of log sigmoid(d·w) − |w|²/2: the Bradley–Terry model (1952) with a ridge
    penalty, by Newton's method. differences: chosen less rejected, (P, F)."""
    weights = np.zeros(differences.shape[1])
    for _ in range(NEWTON_STEPS):
        p = special.expit(differences @ weights)
        gradient = differences.T @ (1 - p) - RIDGE * weights
        hessian = (differences * (p * (1 - p))[:, None]).T @ differences + RIDGE * np.eye(len(weights))
        step = np.linalg.solve(hessian, gradient)
        weights = weights + step
        if np.abs(step).max(initial=0.0) < 1e-6:
            break
    return weights


def auc(margins: FloatArray, groups: Sequence[str]) -> tuple[float, float]:
    """Area under the ROC curve of telling chosen from rejected (Mann–Whitney U / P²), and its standard error.

    margins: (P,), by how much each pair's chosen side wins; the rejected side's score is its negative. The error is
    from placements (DeLong et al. 1988, Biometrics 44, 837–845) summed by prompt, as both sides of a pair and all pairs
    of a prompt go together (Obuchowski 1997, Biometrics 53, 567–578); infinite where all pairs have one prompt.
    """
    rejected = np.sort(-margins)
    below, upto = (np.searchsorted(rejected, margins, side=side) for side in ("left", "right"))
    placements = (below + upto) / (2 * len(margins))
    area = float(placements.mean())
    number = {name: place for place, name in enumerate(dict.fromkeys(groups))}
    # A pair's rejected side has the same placement as its chosen side, since one score is the other's negative.
    sums = np.bincount([number[name] for name in groups], weights=2 * (placements - area))
    count = len(number)
    if count < 2:
        return area, float("inf")
    return area, float(np.sqrt(count / (count - 1) * (sums**2).sum()) / len(margins))
