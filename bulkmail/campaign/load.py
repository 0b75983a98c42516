"""A campaign from its file: everything that is wrong in it, in one go, with lines and columns."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from bulkmail.campaign.composer import read_document
from bulkmail.campaign.document import Document, Loc
from bulkmail.campaign.explain import explained
from bulkmail.campaign.gateway_rules import broken_gateway_rules, broken_sms_rules
from bulkmail.campaign.inheritance import with_defaults, with_shared
from bulkmail.campaign.models.campaign import CampaignModel, ProjectModel
from bulkmail.campaign.models.sms import (
    SmsModel,
    defaults_for_sms,
    foreign_keys,
    is_sms,
    shared_with_mail,
)
from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.project import (
    PROJECT_FILE,
    TEMPLATES_FOLDER,
    FoundFile,
    NoSuchFile,
    PathRefused,
    find_file,
    nearest_file,
    project_root,
)
from bulkmail.campaign.rules import broken_campaign_rules, broken_project_rules, unsafe_name
from bulkmail.errors import ConfigurationError, Fault

Model = TypeVar("Model", bound=StrictModel)

#: Rows written in a campaign's file may be many.
LONG_LISTS: tuple[Loc, ...] = (("recipients",), ("recipients", "rows"))


@dataclass(frozen=True)
class Campaign:
    """A campaign and the project it belongs to, both without a fault in them."""

    #: Its identity in the ledger.
    name: str
    path: Path
    #: The project's root; absolute.
    root: Path
    model: CampaignModel
    project: ProjectModel
    #: The project's bulkmail.yaml; None where it has none.
    project_path: Path | None
    #: What it is of text messages; None: it is mail. `model` holds what both have, and is empty in
    #: what mail has alone.
    sms: SmsModel | None
    _document: Document = field(repr=False, compare=False)
    _project_document: Document | None = field(repr=False, compare=False)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The campaign of a file. Raises `ConfigurationError` with all the faults there are."""
        path = Path(path)
        document = _mapping_document(path)
        root = project_root(path)
        reading = _Reading(document, project_document(root))
        project = reading.project()
        model = reading.campaign()
        name = path.stem if model is None or model.name is None else model.name
        if model is not None and model.name is None and (sentence := unsafe_name(name)):
            reading.faults.append(
                document.fault((), f"the file's name is the campaign's: {sentence}")
            )
        if model is None or project is None or reading.faults:
            raise ConfigurationError(*sorted(reading.faults, key=_by_place))
        return cls.sound(
            name,
            path,
            root=root,
            models=(model, project),
            documents=(document, reading.shared),
            sms=reading.sms,
        )

    @classmethod
    def sound(
        cls,
        name: str,
        path: Path,
        *,
        root: Path,
        models: tuple[CampaignModel, ProjectModel],
        documents: tuple[Document, Document | None],
        sms: SmsModel | None = None,
    ) -> Self:
        """A campaign of what was read and validated; the files' own faults are the caller's."""
        document, shared = documents
        model, project = models
        return cls(
            name=name,
            path=path,
            root=root,
            model=model,
            project=project,
            project_path=shared.path if shared else None,
            sms=sms,
            _document=document,
            _project_document=shared,
        )

    @cached_property
    def folder(self) -> Path:
        """The folder of the campaign's file; absolute."""
        return self.path.absolute().parent

    @property
    def template_folders(self) -> tuple[Path, ...]:
        """Where templates are looked up, in this order."""
        return self.root / TEMPLATES_FOLDER, self.folder

    def has(self, loc: Loc) -> bool:
        """Whether a value stands at a key of the campaign's own file."""
        return self._document.has(loc)

    @property
    def long_list(self) -> Loc | None:
        """Where rows stand that are too many to be held, of which the model has the first ones."""
        return self._document.cut

    def fault(
        self,
        loc: Loc,
        message: str,
        *,
        row: int | None = None,
        address: str | None = None,
        at_key: bool = False,
    ) -> Fault:
        """A fault at a key: `("attachments", 1, "path")`, in whichever file it is written."""
        fault = _placed(self._document, self._project_document, loc, message, at_key=at_key)
        return dataclasses.replace(fault, row=row, address=address)

    def resolve(self, text: str, *, loc: Loc = (), row: int | None = None) -> Path:
        """The file that `text` means, as `find` finds it."""
        return Path(self.find(text, loc=loc, row=row).path)

    def find(self, text: str, *, loc: Loc = (), row: int | None = None) -> FoundFile:
        """The file that `text` means: beside the campaign, else below the root; absolute.

        Raises `ConfigurationError` with one fault at `loc` when it does not exist, is no regular
        file, or leaves the project without being allowed to.
        """
        folders = self.folder, self.root
        try:
            return find_file(text, folders, self.allowed_folders)
        except PathRefused as refusal:
            # For a row's own file none is proposed: it would be somebody else's.
            is_typo = loc and row is None and isinstance(refusal, NoSuchFile)
            near = nearest_file(text, folders) if is_typo else None
            hint = f". Did you mean `{near}`?" if near else ""
            raise ConfigurationError(self.fault(loc, f"{refusal}{hint}", row=row)) from refusal

    @cached_property
    def allowed_folders(self) -> tuple[Path, ...]:
        """What files of the campaign may lie in: the root, and the folders of `allow_paths`."""
        # Where nobody is called so, `~name` is a folder of that name.
        written = [os.path.expanduser(folder) for folder in self.model.allow_paths]  # noqa: PTH111
        return self.root, *(base / path for path in written for base in (self.folder, self.root))


class _Reading:
    """One campaign being read, and the faults that were met."""

    def __init__(self, document: Document, shared: Document | None) -> None:
        self.document = document
        self.shared = shared
        self.faults = [*document.faults, *(shared.faults if shared else ())]
        #: Once the campaign was read, if it is one of text messages.
        self.sms: SmsModel | None = None

    def project(self) -> ProjectModel | None:
        if self.shared is None:
            return ProjectModel.without_keys()
        written = self.shared.value
        for loc, sentence in (*broken_project_rules(written), *broken_gateway_rules(written)):
            self.faults.append(self.shared.fault(loc, sentence))
        try:
            return ProjectModel.read(written)
        except ValidationError as error:
            for loc, sentence, at_key in explained(error, ProjectModel, written):
                self.faults.append(self.shared.fault(loc, sentence, at_key=at_key))
            return None

    def campaign(self) -> CampaignModel | None:
        shared = self.shared.value if self.shared else {}
        for key, sentence in foreign_keys(self.document.value).items():
            self._add((key,), sentence, at_key=True)
        written, broken = campaign_keys(self.document.value, shared)
        for loc, sentence in broken:
            self._add(loc, sentence)
        if not is_sms(self.document.value):
            return self._validated(CampaignModel, written)
        self.sms = self._validated(SmsModel, written)
        return None if self.sms is None else shared_with_mail(self.sms)

    def _validated(self, kind: type[Model], written: dict[str, Any]) -> Model | None:
        try:
            return kind.read(written)
        except ValidationError as error:
            for loc, sentence, at_key in explained(error, kind, written):
                self._add(loc, sentence, at_key=at_key)
            return None

    def _add(self, loc: Loc, sentence: str, *, at_key: bool = False) -> None:
        fault = _placed(self.document, self.shared, loc, sentence, at_key=at_key)
        # What is wrong with a default was found in bulkmail.yaml itself.
        if fault not in self.faults:
            self.faults.append(fault)


def campaign_keys(
    own: Mapping[str, Any], shared: Mapping[str, Any]
) -> tuple[dict[str, Any], list[tuple[Loc, str]]]:
    """A campaign's keys with what it takes from bulkmail.yaml, and the rules they break.

    Keys of the other channel are left out: `foreign_keys` names them.
    """
    foreign = foreign_keys(own)
    kept = {key: value for key, value in own.items() if key not in foreign}
    if is_sms(own):
        written = with_defaults(kept, defaults_for_sms(shared.get("defaults")))
        return written, list(broken_sms_rules(written, _mapping(shared.get("gateways"))))
    written = with_shared(with_defaults(kept, shared.get("defaults")), shared)
    return written, list(broken_campaign_rules(written, _mapping(shared.get("servers"))))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def load_project(root: Path) -> ProjectModel:
    """A project's bulkmail.yaml, without a campaign; empty where there is none.

    Raises `ConfigurationError` with all the faults there are.
    """
    reading = _Reading(Document(root), project_document(root))
    project = reading.project()
    if project is None or reading.faults:
        raise ConfigurationError(*sorted(reading.faults, key=_by_place))
    return project


def _mapping_document(path: Path) -> Document:
    document = read_document(path, LONG_LISTS)
    if document.value is None:
        raise ConfigurationError(*document.faults, document.fault((), "the file is empty"))
    if not isinstance(document.value, dict):
        sentence = "this file must hold keys, each with its value (`from: …`)"
        raise ConfigurationError(*document.faults, document.fault((), sentence))
    return document


def project_document(root: Path) -> Document | None:
    """The bulkmail.yaml of `root` as it is written; None where there is none.

    Raises `ConfigurationError` where it holds something else than keys.
    """
    path = root / PROJECT_FILE
    if not os.path.lexists(path):
        return None
    document = read_document(path)
    if document.value is None:
        document.value = {}
    if not isinstance(document.value, dict):
        sentence = "this file must hold keys, each with its value (`servers: …`)"
        raise ConfigurationError(*document.faults, document.fault((), sentence))
    return document


def _placed(
    document: Document, shared: Document | None, loc: Loc, message: str, *, at_key: bool
) -> Fault:
    """A fault where the key is written: in the campaign, its defaults, or bulkmail.yaml."""
    if shared is not None and not document.has(loc):
        for place in (("defaults", *loc), loc):
            if loc and shared.has(place):
                return shared.fault(place, message, at_key=at_key)
    return document.fault(loc, message, at_key=at_key)


def _by_place(fault: Fault) -> tuple[str, int, int]:
    return fault.path or "", fault.line or 0, fault.column or 0
