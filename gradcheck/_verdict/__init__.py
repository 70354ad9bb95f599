"""The answer: every kind of check from start to end, and how it may end.

`check` is the way in, `examine` the course of a check, `entries` that of ``mode="full"``, `endings`
what may come out.
"""
