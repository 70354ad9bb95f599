"""How a derivation comes about: rules propose steps, and each is checked before it is written down."""
