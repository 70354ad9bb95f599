"""The command ``gradcheck``: what it is asked to check, the run, and how it ends."""
