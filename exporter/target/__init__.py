"""The context that polling and discovery of one target share."""
