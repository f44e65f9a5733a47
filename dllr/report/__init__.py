"""The page people read: arrays and plain numbers in, figures, pictures and HTML out."""
