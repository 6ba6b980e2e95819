"""Is an assignment sound? What `course verify` grades, expects and finds."""
