"""The words: messages, values, errors. Imports nothing of ours."""
