"""Print docs/states.md: the session's states, drawn from the table that the program runs on.

python docs/make_states.py > docs/states.md
"""
# ruff: noqa: INP001  # a script beside its page, not a package

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from bulkmail.smtp.reply import Severity
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.states import STRAGGLERS, TRANSITIONS, State

Table = dict[State, dict[Stage, dict[Severity, State]]]

HEAD = """\
# The states of a session

<!-- Made by docs/make_states.py from bulkmail/smtp/states.py; not to be edited. -->

What may be sent in each state, and where the first digit of the reply leads. Where no arrow is
drawn, 4yz and 5yz leave the state as it is, and any other reply ends the session as a violation of
the protocol. 421 closes in every state. What goes out under PIPELINING is judged by the state to
be hoped for once all that is outstanding has been answered well. EHLO is given again under TLS;
AUTH succeeds once in a session (RFC 4954, 4).
"""

STRAGGLERS_HEAD = """\
## Replies to what was sent ahead

DATA that rode in one group with a MAIL or with RCPTs that were refused may be answered 354 all the
same (RFC 2920, 3.1). These replies are taken; nothing may be sent because of them.

| state | command | reply | leads to |
| --- | --- | --- | --- |
"""


def digits(severities: Iterable[Severity]) -> str:
    """The severities as RFC 5321 writes them: ``4yz, 5yz``."""
    given = sorted(severities)
    return "any reply" if given == sorted(Severity) else ", ".join(f"{s:d}yz" for s in given)


def arrows(table: Table) -> Iterator[tuple[State, Stage, str, State]]:
    """State, command, replies and next state, with the replies that lead to one state joined."""
    for state, stages in table.items():
        for stage, replies in stages.items():
            for target in dict.fromkeys(replies.values()):
                yield state, stage, digits(s for s in replies if replies[s] is target), target


def diagram() -> Iterator[str]:
    """The lines of the Mermaid diagram."""
    yield "stateDiagram-v2"
    for state in State:
        yield f'    state "{state.value}" as {state.name}'
    yield f"    [*] --> {State.CONNECTED.name}"
    for state, stage, replies, target in arrows(TRANSITIONS):
        yield f"    {state.name} --> {target.name} : {stage.value} {replies}"
    yield f"    {State.CLOSED.name} --> [*]"


def page() -> str:
    """The whole page."""
    drawing = "\n".join(diagram())
    rows = "".join(
        f"| {state.value} | {stage.value} | {replies} | {target.value} |\n"
        for state, stage, replies, target in arrows(STRAGGLERS)
    )
    return f"{HEAD}\n```mermaid\n{drawing}\n```\n\n{STRAGGLERS_HEAD}{rows}"


if __name__ == "__main__":
    sys.stdout.write(page())
