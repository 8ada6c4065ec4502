"""Gradescope: the zip file that it builds a container from, and what runs in it."""
