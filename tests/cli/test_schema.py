from __future__ import annotations

import json

import pytest
from support.commandline import Cli


@pytest.mark.parametrize(("kind", "key"), [("campaign", "recipients"), ("project", "servers")])
def test_a_schema_is_one_object(cli: Cli, kind: str, key: str) -> None:
    result = cli("schema", kind)

    assert result.code == 0
    assert key in json.loads(result.out)["properties"]
