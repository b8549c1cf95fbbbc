"""Inputs: the facts, the question, and the files and links of users; everything is checked here."""
