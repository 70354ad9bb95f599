"""All claims of the five source documents, in the order of their ids."""

from __future__ import annotations

from derivations.claims import document_a, document_b, document_c, document_d, document_e

CLAIMS = (
    *document_a.CLAIMS,
    *document_b.CLAIMS,
    *document_c.CLAIMS,
    *document_d.CLAIMS,
    *document_e.CLAIMS,
)
