"""A campaign without what is wrong in its files, so that everything else can be looked at too.

Who has misspelt a key wants to hear of the bad rows of the list in the same go. An entry
of a list is cut out with the whole key it stands under, so that the numbers of the others stay
those of the file.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from bulkmail.campaign.composer import read_document
from bulkmail.campaign.document import Loc
from bulkmail.campaign.explain import explained
from bulkmail.campaign.gateway_rules import broken_gateway_rules, broken_sms_rules
from bulkmail.campaign.load import LONG_LISTS, Campaign, campaign_keys, project_document
from bulkmail.campaign.models.campaign import CampaignModel, ProjectModel
from bulkmail.campaign.models.sms import SmsModel, is_sms, shared_with_mail
from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.project import project_root
from bulkmail.campaign.rules import broken_campaign_rules, broken_project_rules, unsafe_name
from bulkmail.errors import ConfigurationError

Model = TypeVar("Model", bound=StrictModel)
Rules = Callable[[dict[str, Any]], Iterable[tuple[Loc, str]]]

#: What stands for a needed key that was cut out: nothing follows from it.
_STAND_INS = {"from": "nobody@example.com", "subject": ""}
#: Without these as they were meant, what is found in lists and files means nothing.
_DECISIVE = {"recipients", "allow_paths", "defaults"}
#: Without these there is no campaign to speak of.
_INDISPENSABLE = {"recipients", "text", "html", "content", "channel"}
#: Each round cuts something out, and few faults hide behind another.
_ROUNDS = 10


class Salvage:
    """What could be kept. `campaign` is None where that is too little."""

    def __init__(self, path: Path) -> None:
        self._path = path
        #: First keys of what was cut out, in either file.
        self.cut: set[str] = set()
        try:
            self.campaign = self._campaign()
        except ConfigurationError:
            self.campaign = None

    def _campaign(self) -> Campaign | None:
        document = read_document(self._path, LONG_LISTS)
        root = project_root(self._path)
        shared = project_document(root)
        if not isinstance(document.value, dict):
            return None
        below = copy.deepcopy(shared.value) if shared else {}
        project = self._sound(ProjectModel, below, _project_rules)
        written, _ = campaign_keys(copy.deepcopy(document.value), below)
        model, sms = self._models(written, below)
        if model is None or project is None or self.cut & _DECISIVE:
            return None
        name = self._path.stem if model.name is None else model.name
        if unsafe_name(name):
            return None
        return Campaign.sound(
            name,
            self._path,
            root=root,
            models=(model, project),
            documents=(document, shared),
            sms=sms,
        )

    def _models(
        self, written: dict[str, Any], below: dict[str, Any]
    ) -> tuple[CampaignModel | None, SmsModel | None]:
        if not is_sms(written):
            rules = partial(broken_campaign_rules, shared=below.get("servers") or {})
            return self._sound(CampaignModel, written, rules), None
        rules = partial(broken_sms_rules, shared=below.get("gateways") or {})
        sms = self._sound(SmsModel, written, rules)
        return (None if sms is None else shared_with_mail(sms)), sms

    def _sound(self, kind: type[Model], written: dict[str, Any], rules: Rules) -> Model | None:
        for _ in range(_ROUNDS):
            try:
                model = kind.model_validate(written)
                wrong = [loc for loc, _ in rules(written)]
            except ValidationError as error:
                wrong = [loc for loc, _, _ in explained(error, kind, written)]
            else:
                if not wrong:
                    return model
            kept = [self._cut_out(written, loc) for loc in wrong]
            if not all(kept):
                return None
        return None

    def _cut_out(self, written: dict[str, Any], loc: Loc) -> bool:
        """Take out what stands at `loc`, or nearest above. False where nothing can be."""
        if not loc:
            return False
        self.cut.add(str(loc[0]))
        holder, last = _cuttable(written, loc)
        holder.pop(last, None)
        if holder is written and last in _STAND_INS:
            written[last] = _STAND_INS[last]
        return holder is not written or last not in _INDISPENSABLE


def _project_rules(written: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
    yield from broken_project_rules(written)
    yield from broken_gateway_rules(written)


def _cuttable(written: dict[str, Any], loc: Loc) -> tuple[dict[str, Any], str]:
    """The mapping and its key that are nearest to `loc`: a list's entries stay in their places."""
    holder, last = written, str(loc[0])
    below: Any = written.get(last)
    for part in loc[1:]:
        if isinstance(part, int):
            if not isinstance(below, list) or not 0 <= part < len(below):
                break
            below = below[part]
        elif isinstance(below, dict) and part in below:
            holder, last, below = below, part, below[part]
        else:
            break
    return holder, last
