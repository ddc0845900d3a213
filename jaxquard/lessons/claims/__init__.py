"""The lessons themselves: a module each, which binds LESSON. The package above says how to write one."""
