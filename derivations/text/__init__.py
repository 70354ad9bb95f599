"""An expression that is given as text: its grammar, and what a tree of it means."""
