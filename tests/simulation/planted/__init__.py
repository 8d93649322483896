"""Known bugs, planted one by one: a simulation that would not find them proves nothing."""
