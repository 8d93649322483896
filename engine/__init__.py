"""Load, decide, commit, relay: the only room that wires."""
