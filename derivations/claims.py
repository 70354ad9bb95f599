"""All claims of the five source documents, in the order of their ids."""

from __future__ import annotations

from derivations import claims_a, claims_b, claims_c, claims_d, claims_e

CLAIMS = (
    *claims_a.CLAIMS,
    *claims_b.CLAIMS,
    *claims_c.CLAIMS,
    *claims_d.CLAIMS,
    *claims_e.CLAIMS,
)
