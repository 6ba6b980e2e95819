"""The full language model of the course, one topic a file: what the hidden tests compare with."""
