"""XML channels: one folder each dialect."""
