"""What a check is given: a case, the domains and trees of its arguments, how far to step from them."""
