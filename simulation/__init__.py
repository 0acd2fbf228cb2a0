"""The whole program on virtual time, against the simulated service, with faults chosen by a seed.

Everything that waits is a greenlet, and one thread switches between them. So a week takes less than a second, and the
same seed produces the same week, down to every byte of every page.
"""
