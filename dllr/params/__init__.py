"""What params.yaml may hold: one file a section, so that a stage depends on its own section alone."""
