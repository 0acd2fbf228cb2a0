"""The counting rules: which sync jobs of a data source are counted, and when."""
