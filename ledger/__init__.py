"""The double-entry book, pure: accounts, transfers, recipes, balances."""
