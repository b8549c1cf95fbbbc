"""Formulas: numbers and arrays in, numbers and arrays out, each with its unit and its paper."""
