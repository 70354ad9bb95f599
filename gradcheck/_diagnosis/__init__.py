"""What is wrong with a claim that disagrees: in which entries, and which mistake that looks like."""
