"""Payment providers: one folder each, one contract."""
