"""Settings of all tests."""

from hypothesis import settings

# No deadline: an example that takes a millisecond takes many under a sanitizer, or beside another build.
settings.register_profile("fissile", deadline=None)
settings.load_profile("fissile")
