"""The lessons themselves, a module each. The package above says how to write one."""
