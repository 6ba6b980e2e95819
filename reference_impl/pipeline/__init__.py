"""The pipeline from raw text to a served model: its stages, sizes and claims."""
