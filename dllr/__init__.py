"""Land-cover maps from optical and SAR scenes when only a few tiles are labelled."""
