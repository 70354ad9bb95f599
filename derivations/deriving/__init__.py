"""Anyone's expression: where it is defined, its derivatives, NumPy code for them, and what that was checked for."""
