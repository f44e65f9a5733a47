"""The card that goes with an exported model: what it shows, and its text."""
