"""Readers for structure files and folders."""
