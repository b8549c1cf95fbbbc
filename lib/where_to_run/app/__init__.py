"""App: the workbook with a person at the screen."""
