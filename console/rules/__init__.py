"""The rules that the hub is built by, and where each is applied and shown: a table of sentences, and what the code says of itself."""
