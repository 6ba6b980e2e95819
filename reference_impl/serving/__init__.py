"""A server for one model."""
