"""Imports submissions from a learning platform's archive, which is untrusted, into submitted/."""
