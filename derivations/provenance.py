"""What a report was made with: versions, seed, number of points, command, date."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is needed to make the same report again."""

    versions: tuple[tuple[str, str], ...]
    seed: int
    points: int
    command: str
    created: str
    seconds: float


def describe(points: int, seed: int, command: str = "", seconds: float = 0.0) -> Provenance:
    """Return what is given, with the versions and the date of now."""
    packages = ("gradcheck", "numpy", "sympy", "mpmath")
    versions = [(name, metadata.version(name)) for name in packages]
    system = (("Python", platform.python_version()), ("platform", platform.machine()))
    return Provenance(
        versions=(*versions, *system),
        seed=seed,
        points=points,
        command=command,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        seconds=seconds,
    )
