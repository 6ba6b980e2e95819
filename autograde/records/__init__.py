"""The records of a term: grading a class, the audit log, the gradebook, manual marks, and changes to grades."""
