"""Data sets from official archives and from folders of a user's own.

An adapter knows one data set: how its files are called, and what is odd about them. The pipeline
finds and unzips files, makes one item after the other, goes on where an earlier run was stopped and
writes the summary. After that there are only scenes and frames.

May import :mod:`semimtl_geo.streetview` and ``tiles``.
"""
