"""The composition root: builds the exporter and its targets, and hands sources over when a reload replaces a target."""
