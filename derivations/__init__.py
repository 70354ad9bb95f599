"""SymPy derivations of the closed forms in `reference`, each step machine-checked.

`derive` does the same for an expression that is given as text; it is imported on first use, so that
``import derivations`` costs nothing.

`rows` derives in `steps` that the `kernels` check, `code` proves what `reference` runs,
`confrontation` compares the two with finite differences, `claims` examines the source documents,
`report` collects all of that and `render` writes it down; `deriving` is for anyone's expression.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from derivations.deriving.derived import derive

__all__ = ["derive"]


def __getattr__(name: str) -> Any:
    if name != "derive":
        raise AttributeError(f"module 'derivations' has no attribute {name!r}")
    from derivations.deriving.derived import derive

    globals()[name] = derive
    return derive


def __dir__() -> list[str]:
    return sorted(__all__)
