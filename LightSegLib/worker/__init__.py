"""The process that does the long work of an application: one job described by a JSON file, told about on stdout."""
