"""The steps of a run that `Segmenter` wires together."""
