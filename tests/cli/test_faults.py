from __future__ import annotations

from bulkmail.cli.faults import are_some_rows, fault_lines
from bulkmail.errors import Fault


def undefined(row: int) -> Fault:
    return Fault(
        path="t.html.j2", line=8, message="`salery`?", row=row, address=f"r{row}@example.com"
    )


def test_the_same_fault_of_many_rows_is_one_line() -> None:
    faults = [undefined(row) for row in range(1, 53)]

    line, count = fault_lines(faults, "Nothing was sent.")

    assert line.startswith("t.html.j2:8  `salery`? (row 1, r1@example.com), and 51 more rows: 2, 3")
    assert line.endswith(" 10, 11, …")
    assert count == "1 fault in 1 file and 52 rows. Nothing was sent."


def test_the_same_fault_of_a_few_rows_is_a_line_each() -> None:
    lines = list(fault_lines([undefined(row) for row in (1, 2, 3)]))

    assert [line.split("(")[1] for line in lines[:3]] == [
        f"row {row}, r{row}@example.com)" for row in (1, 2, 3)
    ]
    assert lines[3] == "3 faults in 1 file and 3 rows."


def test_all_rows_of_a_line_are_numbered_while_they_are_few() -> None:
    (line, _) = fault_lines([undefined(row) for row in (1, 2, 5, 9)])

    assert line.endswith("(row 1, r1@example.com), and 3 more rows: 2, 5, 9")


def test_rows_can_be_left_out_where_they_alone_are_at_fault() -> None:
    assert are_some_rows([undefined(1), undefined(2)])
    assert not are_some_rows([undefined(1), Fault(path="x.yaml", message="unknown key")])
    assert not are_some_rows([undefined(row) for row in range(1, 5)])
    full = Fault(path="o/000101-a@x.example.eml", key="--out", message="cannot be written", row=101)
    assert not are_some_rows([full])
