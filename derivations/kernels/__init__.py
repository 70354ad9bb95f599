"""The judges: small kernels that check every step of a derivation.

`indexed`
    proves an identity between expressions with finite sums, Kronecker deltas, exp, log and opaque
    functions for every size (every n ≥ 1), by a normal form.
`rational`
    proves an identity in exp, log and tanh for all reals, by rationalising.
`field`
    proves an identity between derivatives of an expression that was given as text, in a
    differential field; `derivations.steps.judge` asks it first.
`witness`
    finds a rational point at which interval arithmetic proves that an identity is wrong.
`sampling`
    evaluates both sides at random points to 60 digits, derivatives as limits.

"Proved" means proved by this package, which is not a proof assistant.  What has to be trusted:

- SymPy's construction of expressions: what ``a + b``, ``a*b``, ``exp(a)``, … simplify by themselves
  when they are built, and, in `rational` alone, ``together``, ``expand`` and ``factor_list``.
- `derivations.expressions.calculus`: renaming, unfolding of definitions, and its table of derivatives.  That
  differentiation is linear and obeys the chain rule is an axiom.
- For a proof for every size: `terms`, `vocabulary`, `algebra`, `sums` and `indexed`.
- For a proof for all reals: `rational`.
- For a refutation: `witness` and mpmath's interval arithmetic.

`indexed` and `rational` share no code, and a step with sums must pass both, the second one at small
sizes, as well as `sampling`, which relies on neither kernel nor on `derivations.expressions.calculus`.  An
identity holds wherever both of its sides are defined; `rational` lists the denominators that it
could not show to be non-zero.  The rules of `derivations.steps.rules` are not trusted: they propose
steps.
"""
