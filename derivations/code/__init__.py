"""Whether the code of `reference` computes what was derived: it is run on symbols.

`traced` and `traced_arrays` are the symbolic numbers, `tracing` runs the code on every branch,
`branches` compares each with the derivative, and `execution` does so for a case of `reference`.
"""
