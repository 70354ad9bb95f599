"""What the five source documents claim, and how each claim is examined: a module for each document."""
