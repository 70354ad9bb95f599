"""Every derivation, as one table: a row for each case of `reference`."""

from __future__ import annotations

from derivations import (
    activations,
    elementwise_losses,
    layers,
    losses,
    networks,
    nodes,
    softmaxes,
)
from derivations.rows import Row

ROWS: tuple[Row, ...] = (
    *activations.ROWS,
    *softmaxes.ROWS,
    *losses.ROWS,
    *elementwise_losses.ROWS,
    *nodes.ROWS,
    *layers.ROWS,
    *networks.ROWS,
)
