"""Reports derived from the records of a term: pages and tables for TAs, and formats for other systems."""
