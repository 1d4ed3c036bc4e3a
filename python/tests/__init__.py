"""Tests of the package against the built program, and of its wire code against flatc."""
