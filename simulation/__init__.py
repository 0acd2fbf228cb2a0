"""Runs the whole program on virtual time, against the simulated service, with faults that a seed determines.

All threads of the program are greenlets, and one real thread switches between them. So a week takes a few seconds,
and the same seed produces the same week, down to every byte of every page.
"""
