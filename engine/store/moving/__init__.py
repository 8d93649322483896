"""From a file to a database: what is carried, how, and the proof that nothing is missing."""
