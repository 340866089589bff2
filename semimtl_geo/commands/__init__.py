"""The subcommands of ``semimtl-geo``, one module each: its arguments, and what it runs.

May import every other room. Each module imports torch only when its command runs.
"""
