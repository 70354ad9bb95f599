"""The error of the code over the range of its input: measured against the derivation, and drawn."""

import dataclasses
import math
import re

import numpy as np
import pytest

import reference
from derivations.comparison import Comparison
from derivations.confrontation import confront
from derivations.confrontation.profiles import (
    BINS,
    LARGEST,
    SMALLEST,
    Bound,
    Errors,
    Profile,
    profile,
    stated,
)
from derivations.plan import Plan, using
from derivations.render import multiples, render, wording
from gradcheck import Elementwise

ELEMENTWISE = tuple(c.name for c in reference.CASES if isinstance(c.vjp, Elementwise))
EXACT = Errors((0.0,) * (2 * BINS), None)


def measured(name: str, **changes) -> Profile | None:
    case = dataclasses.replace(confront.case_named(name), **changes)
    with using(Plan(seed=3)):
        return profile(case, confront.row_named(name))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_stated_bound_holds_over_the_range(name) -> None:
    found = measured(name)
    assert found is not None
    assert found.problems == ()
    assert all(math.isfinite(e) for part in (found.value, found.derivative) for e in part.ulps)
    assert len(found.value.ulps) == len(found.derivative.ulps) == 2 * BINS


def test_functions_of_several_numbers_have_none() -> None:
    assert measured("softmax") is None
    assert measured("binary_cross_entropy_with_logits") is None


@pytest.mark.parametrize(("sign", "place"), [(1, BINS + 10), (-1, BINS - 1 - 10)])
def test_an_error_shows_in_the_bin_where_it_is_and_breaks_the_bound(sign, place) -> None:
    edges = np.geomspace(SMALLEST, LARGEST, BINS + 1)
    low, high = edges[10], (edges[10] + edges[11]) / 2  # half of a bin: some of its points

    def wrong(x):
        there = (sign * x > low) & (sign * x < high)
        assert 0 < there.sum() < there.size / (2 * BINS)
        return np.where(there, 1 + 2.0**-48, 1) * reference.sigmoid(x)

    wrong.__doc__ = reference.sigmoid.__doc__
    right, found = measured("sigmoid"), measured("sigmoid", f=wrong)
    differing = [k for k in range(2 * BINS) if right.value.ulps[k] != found.value.ulps[k]]
    assert differing == [place]
    assert 8 < found.value.largest < 40
    assert len(found.problems) == 1
    assert "states 3" in found.problems[0]
    assert found.derivative == right.derivative


def test_a_number_that_is_not_finite_is_seen() -> None:
    found = measured("tanh", vjp=Elementwise(lambda x: np.where(x > 900, np.nan, x)))
    assert found.derivative.largest == math.inf
    assert math.isfinite(min(found.derivative.ulps))


def test_bounds_come_from_the_documentation() -> None:
    assert stated(reference.silu) == Bound(3.0)
    assert stated(reference.gelu_tanh) == Bound(5.0)
    assert stated(reference.leaky_relu) == Bound(0.5)
    assert stated(np.sin) is None
    assert stated(lambda x: x) is None
    slopes = {c.name: stated(c.vjp.derivative) for c in reference.CASES if c.name in ELEMENTWISE}
    assert {name for name, b in slopes.items() if b is not None and b.unit} == {
        "silu",
        "gelu",
        "gelu_tanh",
        "mish",
    }  # only these are products x·g(x), whose two terms are the unit


def test_a_broken_bound_is_a_problem_of_the_report(sample) -> None:
    broken = Profile(Errors((4.0,) * (2 * BINS), Bound(3.0)), EXACT)
    (case,) = sample.cases
    data = dataclasses.replace(sample, cases=(dataclasses.replace(case, profile=broken),))
    assert data.problems == (
        "case softmax: the value of the code is 4 ulp from the derivation; its documentation "
        "states 3",
    )


def heights(path: str) -> list[int]:
    """The level at every bin of an outline, in pixels above where it starts."""
    levels, now = [], 0
    for mark, number in re.findall(r"([vhVM])([−-]?\d+)", path):
        if mark == "v":
            now -= int(number)
        elif mark == "h":
            levels += [now] * (int(number) // 4)
        else:
            now = 0
    return levels


def test_the_outline_has_every_bin_at_its_height_and_ends_at_the_frame() -> None:
    ulps = (*(float(k % 5) for k in range(2 * BINS - 2)), 100.0, math.inf)
    drawn = heights(multiples._outline(ulps, 8))
    assert drawn == [13 * min(int(min(e, 8)), 8) for e in ulps]


def test_every_profile_has_a_panel_with_its_figures_and_bounds(sample, parse_page) -> None:
    bounded = Profile(Errors((2.5,) * (2 * BINS), Bound(3.0)), EXACT)
    (case,) = sample.cases
    cases = [
        dataclasses.replace(
            case, name=name, profile=p, comparison=Comparison(name, case.comparison.points)
        )
        for name, p in (("a<b", bounded), ("plain", Profile(EXACT, EXACT)), ("other", None))
    ]
    data = dataclasses.replace(sample, cases=tuple(cases))
    text = render(data, "html")
    page = parse_page(text)
    panels = re.findall(r'<svg class="plot panel".*?</svg>', text)
    assert len(panels) == 2
    assert "a&lt;b: error of the value at most 2.50 ulp (stated: 3)" in panels[0]
    assert [p.count("class=value-bound") for p in panels] == [1, 0]
    assert "slope-bound" not in "".join(panels)
    assert page.values("id").count("ulp-axes") == page.values("href").count("#ulp-axes") == 1
    largest = text[text.index('class="plot narrow"') :]
    largest = largest[: largest.index("</svg>")]
    assert ">other</text>" in largest
    assert ">plain</text>" not in largest


def test_a_report_of_elementwise_functions_alone_has_no_plot_of_the_others(sample) -> None:
    (case,) = sample.cases
    alone = dataclasses.replace(case, profile=Profile(EXACT, EXACT))
    assert "plot narrow" not in render(dataclasses.replace(sample, cases=(alone,)), "html")


def test_the_places_that_a_proof_leaves_out_are_said_in_short() -> None:
    borders = "kinks and borders between branches, where x_1 = 0, and at entries alike"
    every = ("everything outside of: x < 7", borders, "points where x_1 = 1", wording.NOT_COVERED)
    assert wording.excluded(every) == "; not where x_1 = 0; x_1 = 1"
    assert (
        wording.excluded((every[0], every[-1], "an unknown kind")) == "; also not: an unknown kind"
    )
    assert wording.excluded(every[:1]) == ""
    assert wording.excluded(["points where z_1,12 = 0, or 2 more"]) == (
        "; not where z_{1,12} = 0, or 2 more"
    )


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_the_real_report_shows_panels_and_exclusions(full_report, form) -> None:
    text = render(full_report, form)
    assert "not where x<sub>1</sub>" in text
    assert wording.NOT_COVERED in text
    if form == "html":
        assert text.count('class="plot panel"') == len(ELEMENTWISE)
    else:
        rows = [line for line in text.splitlines() if line.startswith("| `")]
        bars = {len(re.findall(r"(?<!\\)\|", row)) for row in rows if row.count(" ulp") == 0}
        assert len(rows) >= len(full_report.cases)
        assert bars <= {3, 9}
