"""The decisions, pure: one file per rule family."""
