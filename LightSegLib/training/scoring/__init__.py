"""Scoring trained models: baselines, cross-validation, thresholds chosen out of fold, bootstrap intervals."""
