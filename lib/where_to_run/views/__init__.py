"""Views: a tidy frame in, a panel out; one page a file."""
