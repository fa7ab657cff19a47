"""The module's panel, section by section; each takes the widgets of the .ui file, and knows no other."""
