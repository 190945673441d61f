"""EgoBench: items in the data sets' own files, answers as a file, scores without a model."""
