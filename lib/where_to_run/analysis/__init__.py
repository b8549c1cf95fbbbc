"""Analysis: questions asked of `evaluate`, answered as tidy frames."""
