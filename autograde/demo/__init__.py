"""A simulated class in a copy of a course, which `course demo` and the benchmarks grade."""
