"""Images of synthetic towns: painting of surfaces, light and sensor.

It may import :mod:`semimtl_geo.synthetic.town`.
"""
