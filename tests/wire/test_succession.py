"""What is done about a connection and the one that is to follow it, by what is true of both."""

import pytest

from tickwire.wire.succession import Present, Step, Successor, next_step

SUCCESSORS: tuple[Successor, ...] = ("none", "ready", "late", "lost")


@pytest.mark.parametrize(
    ("present", "successor", "step"),
    [
        ("serving", "none", "serve"),
        ("due", "none", "open"),
        ("due", "ready", "hand over"),
        ("due", "late", "drop"),
        ("due", "lost", "drop"),
    ],
)
def test_one_that_is_due_serves_until_its_successor_is_ready(
    present: Present, successor: Successor, step: Step
) -> None:
    assert next_step(present, successor, over=False) == step


@pytest.mark.parametrize("successor", SUCCESSORS)
@pytest.mark.parametrize("over", [False, True])
def test_one_that_is_lost_is_followed_by_none_that_stood_by(successor: Successor, over: bool) -> None:
    assert next_step("lost", successor, over=over) == "end"


def test_nothing_is_handed_over_at_the_end_of_the_feed() -> None:
    assert next_step("due", "ready", over=True) == "drop"
