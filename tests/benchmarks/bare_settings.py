"""The settings of the tests, with one address more: a view that does nothing but one SELECT."""

from config.settings.test import *  # noqa: F403

ROOT_URLCONF = "tests.benchmarks.bare"
