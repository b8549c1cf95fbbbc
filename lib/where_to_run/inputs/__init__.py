"""Inputs: the only room that reads data/ and the files of users; everything is checked here."""
