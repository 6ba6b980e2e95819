"""The trusted side of hostile processes: starts them, watches them, shows that they are confined."""
