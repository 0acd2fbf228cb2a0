"""The whole program on virtual time, against the simulated service, with chance from a seed.

Whatever takes time is a greenlet that one thread switches to, so a week takes less than a second, and the same seed
gives the same week to the last byte.
"""
