"""The layouts of archives, one module for each platform."""
