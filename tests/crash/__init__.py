"""The platform is killed at every point of what it does, and started again on the same data.

`helper.py` is a process that has imported everything and started nothing; it forks one *life* of
the platform after the other (`life.py`). A life looks at what the one before it left behind
(`checks.py`), then does something (`scenarios.py`) until it reaches the point at which it is to be
killed (`gate.py`). Its signer is a process of its own (`signing.py`), as in production.
"""
