"""Many reports folded into one record."""

import json
import math
from dataclasses import replace

import pytest

from gradcheck import Outcome, Reason, Report
from gradcheck._report.report import Probe
from gradcheck._report.tally import Tallies, Tally, used_tolerance


def report(outcome: Outcome, *probes: Probe, name: str = "f", seed: int = 0) -> Report:
    return Report(
        outcome=outcome,
        reason=Reason.AGREEMENT,
        message="",
        name=name,
        kind="grad",
        evaluations=10,
        claim_evaluations=1,
        resolution=1e-7,
        miss_probability=1e-9,
        rtol=0.5,
        seed=seed,
        probes=probes,
    )


def probe(claimed: float, numerical: float, radius: float, scale: float) -> Probe:
    return Probe("random signs", claimed, numerical, radius, scale, 0.5 * scale + radius)


@pytest.mark.parametrize(
    ("probes", "share"),
    [
        ((), 0.0),
        ((probe(1.0, 1.0, 0.0, 0.0),), 0.0),  # equal, with nothing allowed
        ((probe(3.0, 1.0, 0.0, 0.0),), math.inf),  # different, with nothing allowed
        ((probe(3.0, 1.0, 2.0, 4.0),), 0.5),  # 2 of 0.5·4 + 2
        ((probe(3.0, 1.0, 2.0, 4.0), probe(1.0, 4.0, 2.0, 4.0)), 0.75),
        ((probe(math.nan, 1.0, 2.0, 4.0),), math.inf),
        ((probe(3.0, 1.0, math.inf, 4.0),), 0.0),
        ((replace(probe(3.0, 1.0, 2.0, 4.0), interval=(-5.0, 5.0)),), 0.0),  # a kink
    ],
)
def test_the_share_of_the_tolerance_that_was_used(probes: tuple[Probe, ...], share: float) -> None:
    assert used_tolerance(report(Outcome.PASS, *probes)) == share


def test_a_tally_keeps_the_tightest_pass_and_the_last_finding() -> None:
    passes = [
        report(Outcome.PASS, probe(1.0 + d, 1.0, 1.0, 2.0), seed=k)
        for k, d in enumerate((0.1, 0.9, 0.2))
    ]
    fails = [report(Outcome.FAIL, seed=k) for k in (7, 8)]
    unclear = report(Outcome.INCONCLUSIVE, seed=9)
    tally = Tally("f", "grad")
    for r in (passes[0], fails[0], passes[1], unclear, fails[1], passes[2]):
        tally = tally.add(r)
    assert (tally.checks, tally.passed, tally.failed, tally.inconclusive) == (6, 3, 2, 1)
    assert tally.evaluations == 60
    assert tally.tightest is passes[1]
    assert tally.finding is fails[1]


def test_tallies_keep_claims_apart_and_are_json() -> None:
    tallies = Tallies()
    reports = (
        report(Outcome.PASS, probe(2.0, 1.0, 0.0, 0.0), name="g"),
        report(Outcome.FAIL, name="f"),
        report(Outcome.PASS, name="g"),
    )
    for r in reports:
        tallies.add(r)
    assert [tallies.has(r) for r in reports] == [False, True, False]
    assert not tallies.has(replace(reports[1]))  # one just like it
    g, f = json.loads(json.dumps(tallies.to_list(), allow_nan=False))
    assert (g["name"], g["checks"], g["finding"]) == ("g", 2, None)
    assert g["tightest"] == {"used_tolerance": "inf", "resolution": 1e-7, "seed": 0}
    assert (f["name"], f["checks"], f["tightest"]) == ("f", 1, None)
    assert f["finding"]["outcome"] == "fail"
