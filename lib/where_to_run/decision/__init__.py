"""Decision: which routing each option takes, what bars it and which option comes first."""
