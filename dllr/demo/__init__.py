"""A small country that does not exist: land cover, and how two sensors see it.

`dllr.demo.scene.simulate` makes one scene as arrays; the stage `demo` writes it as GeoTIFFs. The
order is terrain → land cover → materials → optical and SAR image, and each step is one file here.

Structures (fields, houses, roads) have sizes in pixels that look right at about 5 m a pixel.
"""
