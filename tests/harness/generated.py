"""How many generated examples a property test runs."""

from hypothesis import HealthCheck, settings

FAST_EXAMPLES = 200
PROVE_EXAMPLES = 5000


def register_profiles() -> None:
    """Make the profiles known: `fast` (repeatable, the default) and `prove` (thousands, different at each run)."""
    common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]}
    settings.register_profile("fast", max_examples=FAST_EXAMPLES, derandomize=True, **common)  # type: ignore[arg-type]
    settings.register_profile("prove", max_examples=PROVE_EXAMPLES, **common)  # type: ignore[arg-type]
    settings.load_profile("fast")


def examples(fast: int) -> int:
    """Return `fast` in the fast profile, and as many times more as the profile in force has more.

    For `@settings(max_examples=examples(30))` on a test whose examples are dear.
    """
    return max(1, fast * settings().max_examples // FAST_EXAMPLES)
