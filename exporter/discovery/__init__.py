"""Finding data sources: when to look round, the way through what a target has, what is wanted, and what changed."""
