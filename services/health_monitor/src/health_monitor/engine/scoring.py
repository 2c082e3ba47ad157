"""The score formula. Pure, in whole thousandths of a point, so that sums never depend on their order.

An object: `score = 100 - min(100, points of its findings)`. Points come from the severity (critical 80, warning 20,
info 2 by default) or from the policy. Sums, because a finding more must never raise a score and every finding must
show in the breakdown; when they pass 100, the deductions are scaled down so that they still add up to what is missing.

A family, such as the nodes of a zone: each member has lost `L = (100 - score) / 100`. With `m`, the mean of all `L`,
and an alarm `a = min(0.4, 0.05 * log2(1 + sum of L))`, the family loses `m + (1 - m) * a`.

- The mean alone drowns: one dead node of a thousand would cost 0.1 points. The alarm depends on how much is broken,
  not on how much is well, so it costs 5 of the 100 in a cluster of any size, and so does one dead workload beside
  ten thousand healthy pods.
- The logarithm keeps it from saturating: 1 lost member costs 5 points, 3 cost 10, 15 cost 20, 255 cost 40.
- Both rise with every single loss, hence so does the whole: no member's trouble can raise a score.
- Info findings are advice and count in the mean only: 10,000 pods that all lack requests leave a cluster at 98, not 60.

Above: a workload loses the points of its own findings and what the family of its pods loses; a namespace its own and
its workloads and resources; a zone its own and its nodes; the cluster its own and its nodes, zones (the zones' own
findings; their nodes count once), workloads and resources (services, claims, volumes, budgets, autoscalers, and the
namespaces' own findings). Pods count within their workload only, so that a workload of 500 pods weighs as one.
A finished pod counts nothing where a controller owns it: the controller has replaced it or says itself that it gave up.
Muted findings take no points. Missing data lowers the confidence and never the score.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from health_monitor.engine.settings import ScoringSettings

FULL = 100_000  # thousandths of a point
THOUSANDTHS = 1000


class Loss(NamedTuple):
    """What an object has lost, in thousandths of a point. `serious` leaves out what info findings took."""

    total: int
    serious: int

    @property
    def score(self) -> float:
        return (FULL - self.total) / THOUSANDTHS

    @property
    def rounded_score(self) -> float:
        """To a tenth, downwards: 100.0 says that nothing at all was lost."""
        return (FULL - self.total) // 100 / 10


NO_LOSS = Loss(0, 0)


def thousandths(points: float) -> int:
    return round(points * THOUSANDTHS)


def capped(total: int, serious: int) -> Loss:
    return Loss(min(FULL, total), min(FULL, serious))


def family_loss(count: int, total: int, serious: int, scoring: ScoringSettings) -> Loss:
    """What a family of `count` members loses whose losses add up to `total` and `serious`."""
    if not total:
        return NO_LOSS
    alarm = min(scoring.alarm_limit, scoring.alarm_gain * math.log2(1 + serious / FULL))
    return Loss(_with_alarm(total / count, alarm), _with_alarm(serious / count, alarm))


def _with_alarm(mean: float, alarm: float) -> int:
    return round(mean + (FULL - mean) * alarm)


def scaled(parts: Sequence[int]) -> list[int]:
    """The parts, made smaller in proportion where they add up to more than 100 points, so that they add up to 100."""
    total = sum(parts)
    if total <= FULL:
        return list(parts)
    ends = [0]
    reached = 0
    for part in parts:
        reached += part
        ends.append(reached * FULL // total)
    return [end - start for start, end in pairwise(ends)]
