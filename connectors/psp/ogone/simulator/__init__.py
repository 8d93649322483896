"""The Ogone simulator that ships with the hub: a sandbox for users, the scripted provider of our tests. See docs/simulator.md."""
