"""Submissions from a learning platform's archive into submitted/; the archive is not trusted."""
