"""Layouts of synthetic towns: streets, blocks, buildings, trees and cars.

May import no other room of this project.
"""
