"""Layouts of synthetic towns: streets, blocks, buildings, trees and cars."""
