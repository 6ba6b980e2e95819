"""Notebooks: the instructor's source, the released notebook, and the submitted notebook."""
