"""Faces: command line and HTTP."""
