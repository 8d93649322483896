"""The command `foliohub`."""
