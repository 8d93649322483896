"""Processes of a platform against real servers."""
