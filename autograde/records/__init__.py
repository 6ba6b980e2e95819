"""What is kept of a term: the log, the gradebook, marks, and what is made of them for others."""
