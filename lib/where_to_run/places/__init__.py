"""Places: what a load costs and needs at each place, as named lines."""
