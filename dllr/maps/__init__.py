"""Maps beside their pixels: what is uncertain, what polygons enclose, what a GIS and a catalogue read."""
