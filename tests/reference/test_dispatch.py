"""The accuracy tests once more, on the code that NumPy runs on older processors.

NumPy has several loops for an exponential or a logarithm, and takes the widest that the processor
knows; they differ in the last bits.  What is switched off here is known to this processor only, so
on one without AVX512 the first test repeats what all the others saw.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
WITHIN_AVX2 = {"SSE3", "SSSE3", "SSE41", "POPCNT", "SSE42", "AVX", "F16C", "FMA3", "AVX2"} | {
    "X86_V2",
    "X86_V3",
}


def known_here() -> list[str]:
    """Return what NumPy has loops for beyond its baseline, and this processor knows."""
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    return [str(feature) for feature in found]


@pytest.mark.nightly
@pytest.mark.parametrize("kept", [WITHIN_AVX2, set()], ids=["AVX2", "baseline"])
def test_accuracy_without_the_newest_instructions(kept: set[str]) -> None:
    off = [feature for feature in known_here() if feature not in kept]
    files = ("test_accuracy.py", "test_range.py", "test_exhaustive.py", "handwritten")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *(str(HERE / name) for name in files)],
        env=os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(off)},
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
