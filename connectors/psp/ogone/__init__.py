"""Ogone e-Commerce and DirectLink, and the providers that speak the same protocol."""
