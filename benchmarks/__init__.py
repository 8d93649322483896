"""Measurements. Every figure is a ratio inside one run, verified afterwards, or it is not printed."""
