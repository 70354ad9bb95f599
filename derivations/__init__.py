"""SymPy derivations of the closed forms in `reference`, each step machine-checked."""
