"""What polling and discovery of one target share."""
