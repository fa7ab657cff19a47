"""Small re-runs of the papers' comparisons at equal budget; nothing here is installed. See docs/experiments.md."""
