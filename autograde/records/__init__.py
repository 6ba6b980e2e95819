"""The records of a term: grading a class, the audit log, the gradebook, manual marks, changes by a regrading."""
