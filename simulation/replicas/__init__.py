"""Several processes of the program on virtual time, which share their targets through one simulated database."""
