"""The subcommands of ``semimtl-geo``, one module each: its arguments, and what it runs.

It may import every other package. Each module imports torch only when its command runs.
"""
