"""What is claimed: f and its claimed derivative in flat coordinates, compared one direction at a time.

A comparison says whether claim and estimate agree and which error would have been seen; the other
modules tell agreement at kinks, at ties and where f or the claim don't behave.
"""
