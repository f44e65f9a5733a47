"""The audit of a scene folder: what cannot be taken, what is doubtful, and what is worth knowing."""
