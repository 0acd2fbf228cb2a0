"""Several processes of the program on virtual time, which share targets through one simulated database."""
