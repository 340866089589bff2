"""Images of synthetic towns: painting of surfaces, light and sensor.

May import :mod:`semimtl_geo.synthetic.town`.
"""
