"""A simulated class in a copy of a course: what `course demo` and the benchmarks grade."""
