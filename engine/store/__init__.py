"""Where the truth is kept: one contract, one folder per database engine."""
