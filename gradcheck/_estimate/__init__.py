"""What the derivative is: numerical derivatives with an error bar, from values of f alone.

`line` evaluates f along a direction, `ladder` extrapolates the slopes of one component and bounds
their errors, `search` chooses the steps to trust, `singular` tells what f is where none are, and
`oracles` asks the complex step or sixty digits where f takes them.  `differentiate`, `jacobian` and
`hessian` are the public functions on top.
"""
