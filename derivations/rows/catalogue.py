"""Every derivation, as one table: a row for each case of `reference`."""

from __future__ import annotations

from derivations.rows import (
    activations,
    attentions,
    divergences,
    elementwise_losses,
    gates,
    gathers,
    layers,
    losses,
    network_rows,
    nodes,
    normalizations,
    rectifiers,
    residual_losses,
    reweighted_losses,
    softmaxes,
    tempered_softmax,
)
from derivations.rows.row import Row

ROWS: tuple[Row, ...] = (
    *activations.ROWS,
    *gates.ROWS,
    *softmaxes.ROWS,
    *losses.ROWS,
    *elementwise_losses.ROWS,
    *nodes.ROWS,
    *layers.ROWS,
    *normalizations.ROWS,
    *network_rows.ROWS,
    *attentions.ROWS,
    *residual_losses.ROWS,
    *reweighted_losses.ROWS,
    *divergences.ROWS,
    *tempered_softmax.ROWS,
    *rectifiers.ROWS,
    *gathers.ROWS,
)
