"""Submissions out of a learning platform's archive, read without trust."""
