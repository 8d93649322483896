"""Changes engine, ledger and handlers by themselves, one place at a time, and asks the tests whether they see it: `make mutants`."""
