"""Layouts of synthetic towns: streets, blocks, buildings, trees and cars.

It imports no other package of this project.
"""
