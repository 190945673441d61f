"""A small simulated world that writes the real data sets' own files."""
