"""A small country that does not exist: land cover, and how two sensors see it.

`dllr.demo.scene.scene` decides all about one scene, which then renders windows of its two images; the
stage `demo` writes them as GeoTIFFs. The
order is terrain → land cover → materials → optical and SAR image, and each step is one file here.

Structures (fields, houses, roads) have sizes in pixels that look right at about 5 m a pixel.
"""

VERSION = (
    "1"  # frozen: another country is another version, and figures do not compare across versions
)
