"""What statements are made of: symbols, sums over indices, their calculus, and their value to many digits."""
