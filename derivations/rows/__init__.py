"""The derivations: a module for each family of functions, a row for each case, one `catalogue` of them all."""
