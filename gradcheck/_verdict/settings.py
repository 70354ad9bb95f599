"""What the caller chose for one check, beside f, x and the claim."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck._estimate.batch import Batched


@dataclass(frozen=True, slots=True)
class Settings:
    """What the caller chose."""

    name: str
    rtol: float | None
    seed: int
    every_entry: bool
    workers: int
    batch: Batched | None = None
