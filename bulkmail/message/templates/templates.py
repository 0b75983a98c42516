"""A campaign's templates, all compiled before the first row: files and inline ones.

Jinja2's sandbox; undefined names are errors; a null cell is empty text. What is reached from
`html:` is HTML and autoescaped, whatever its name; elsewhere a template is autoescaped when its
name says HTML; what is reached from `body:` is Markdown, in which a value is text and never a mark.
The filter `random` and `lipsum` are taken away: the same row and instant have to
give the same bytes.
"""

from __future__ import annotations

import contextlib
import enum
from functools import partial
from pathlib import Path

import jinja2
from jinja2 import nodes

from bulkmail.campaign.document import Loc, dotted
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.text_file import displayed
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.message.markup import markdown_text
from bulkmail.message.row import Row
from bulkmail.message.templates.bounds import BoundedEnvironment, Budget
from bulkmail.message.templates.files import TEMPLATE_SUFFIXES, TemplateFiles
from bulkmail.message.templates.filters import filters, missing_extra
from bulkmail.message.templates.jinja_words import plainly
from bulkmail.message.templates.language import Localised, language_column
from bulkmail.message.templates.plain import PlainTemplate
from bulkmail.message.templates.rendering import Late, Origin, Renderer
from bulkmail.message.templates.undefined import Missing, Use, noting


class Kind(enum.Enum):
    """What a template makes, which decides how values are escaped in it."""

    TEXT = "text"
    HTML = "html"
    MARKDOWN = "markdown"


_HTML_NAMES = (".html", ".htm", ".xhtml")
_UNCOMPILABLE = (jinja2.TemplateSyntaxError, ConfigurationError)


class Templates:
    """Compiles a campaign's templates; what is wrong with them gathers in `faults`."""

    def __init__(self, campaign: Campaign, list_name: str) -> None:
        self._campaign = campaign
        self.files = TemplateFiles(campaign.template_folders, campaign.allowed_folders)
        self.faults: list[Fault] = []
        #: Whether a name is made at render time: then any file may be loaded.
        self.is_dynamic = False
        #: Key and source of each inline template, by the file name it is compiled under.
        self._inline: dict[str, tuple[Loc, str]] = {}
        self._uses: list[Use] = []
        self._budget = Budget()
        column = language_column(campaign.model)
        self._environments = {
            kind: _environment(self.files, kind, column, self._budget) for kind in Kind
        }
        self._noting = {
            kind: environment.overlay(undefined=noting(self._uses))
            for kind, environment in self._environments.items()
        }
        #: Whether each template, as that kind, is without a fault, as far as is known.
        self._checked: dict[tuple[Kind, str], bool] = {}
        #: The plain ones, each with what compiles it: that is no fault, and most need not be.
        self._plain: dict[tuple[Kind, str], tuple[PlainTemplate, Late]] = {}
        self._origin = Origin(self._place, self._uses_in, list_name, self._budget)

    def file(self, name: str, loc: Loc, *, kind: Kind) -> Renderer:
        """The template of `text:` or `html:`, with all it includes and inherits."""
        path = self.files.locate(name)
        if path is None:
            self.faults.append(self._campaign.fault(loc, self.files.problem(name)))
            return self._broken(loc)
        if not self._check(name, kind=kind):
            return self._broken(loc)
        if (found := self._plain.get((kind, name))) is not None:
            return Renderer(found[1], self._origin, filename=str(path), plain=found[0])
        template = self._environments[kind].get_template(name)
        return Renderer(template, self._origin, filename=str(path))

    def localised(self, name: str, loc: Loc, *, kind: Kind) -> Localised:
        """The same with its variants by language, all compiled."""
        return Localised(
            self.file(name, loc, kind=kind),
            {
                tag: self.file(variant, loc, kind=kind)
                for tag, variant in self.files.variants(name).items()
            },
            language_column(self._campaign.model),
        )

    def inline(self, source: str, loc: Loc) -> Renderer:
        """A template that stands in the campaign file itself."""
        filename = f"<{dotted(loc)}>"
        self._inline[filename] = loc, source
        if not any(mark in source for mark in ("{{", "{%", "{#")):
            return Renderer(None, self._origin, filename=filename, constant=source)
        environment = self._environments[Kind.TEXT]
        try:
            tree = environment.parse(source, None, filename)
            if (plain := PlainTemplate.of(tree)) is not None:
                late = partial(_compiled, environment, tree, None, filename)
                return Renderer(late, self._origin, filename=filename, plain=plain)
            self._check_references(tree, filename)
            template = _compiled(environment, tree, None, filename)
        except _UNCOMPILABLE as error:
            self._note(error, filename)
            return self._broken(loc)
        return Renderer(template, self._origin, filename=filename)

    def sources(self) -> list[tuple[Path, str]]:
        """Every template that a message can come from, with its source."""
        if self.is_dynamic:
            for path in self.files.files():
                with contextlib.suppress(ConfigurationError):
                    self.files.read(path)
        return sorted(self.files.sources.items())

    def raise_faults(self) -> None:
        """Raise `ConfigurationError` with every template that does not compile, if any."""
        if self.faults:
            raise ConfigurationError(*dict.fromkeys(self.faults))

    def _check(self, name: str, *, kind: Kind) -> bool:
        """Compile a template file and what it refers to. False: there are faults."""
        key = kind, name
        if key not in self._checked:
            # Templates may include one another in a circle.
            self._checked[key] = True
            self._checked[key] = self._compile(name, kind=kind)
        return self._checked[key]

    def _compile(self, name: str, *, kind: Kind) -> bool:
        environment = self._environments[kind]
        path = str(self.files.locate(name))
        try:
            source, filename, _ = self.files.get_source(environment, name)
            tree = environment.parse(source, name, filename)
            if kind is not Kind.MARKDOWN:
                is_html = kind is Kind.HTML or _is_html_name(name)
                if (plain := PlainTemplate.of(tree, is_html=is_html)) is not None:
                    late = partial(_compiled, environment, tree, name, filename)
                    self._plain[kind, name] = plain, late
                    return True
            is_whole = self._check_references(tree, filename, kind=kind)
            environment.get_template(name)
        except _UNCOMPILABLE as error:
            self._note(error, path)
            return False
        return is_whole

    def _check_references(
        self, tree: nodes.Template, filename: str, *, kind: Kind = Kind.TEXT
    ) -> bool:
        is_whole = self._check_extras(tree, filename)
        for node in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
            names = _names(node)
            self.is_dynamic |= names is None
            found = [name for name in names or () if self.files.locate(name)]
            for name in found:
                is_whole &= self._check(name, kind=kind)
                if (kind, name) in self._plain:
                    # Whoever refers to it has jinja2 load it.
                    self._environments[kind].get_template(name)
            if names and not found and not getattr(node, "ignore_missing", False):
                fault = self._place(filename, node.lineno, self.files.problem(names[0]))
                self.faults += [fault] if fault else []
                is_whole = False
        return is_whole

    def _check_extras(self, tree: nodes.Template, filename: str) -> bool:
        """Whether all filters can be used that the template has."""
        is_whole = True
        for node in tree.find_all(nodes.Filter):
            if message := missing_extra(node.name):
                fault = self._place(filename, node.lineno, message)
                self.faults += [fault] if fault else []
                is_whole = False
        return is_whole

    def _note(self, error: jinja2.TemplateSyntaxError | ConfigurationError, filename: str) -> None:
        """Note what is wrong with a template; the next one is looked at all the same."""
        if isinstance(error, ConfigurationError):
            self.faults += error.faults
            return
        helpers = self._environments[Kind.TEXT]
        is_condition = self._inline.get(filename, ((), ""))[0] == ("skip_if",)
        message = plainly(
            error.message or "this is not a template",
            (*helpers.filters, *helpers.tests),
            end="the expression's end" if is_condition else "",
        )
        fault = self._place(error.filename or filename, error.lineno, message)
        self.faults += [fault] if fault else []

    def _place(self, filename: str, line: int, message: str) -> Fault | None:
        if filename in self._inline:
            return self._campaign.fault(self._inline[filename][0], message)
        if (path := Path(filename)) in self.files.sources:
            return Fault(path=displayed(path), line=line, message=message)
        return None

    def _broken(self, loc: Loc) -> Renderer:
        """Stands in for a template with faults: `raise_faults` comes before any row."""
        return Renderer(None, self._origin, filename=f"<{dotted(loc)}>")

    def _uses_in(self, renderer: Renderer, row: Row) -> list[Use]:
        """Every use of an undefined name while `renderer` is rendered for `row`, each once."""
        template = renderer.template
        if template is None:
            return []
        environment = next(
            self._noting[kind]
            for kind, own in self._environments.items()
            if own is template.environment
        )
        if template.name is None:
            source = self._inline[renderer.filename][1]
            again = _compiled(environment, environment.parse(source), None, renderer.filename)
        else:
            again = environment.get_template(template.name)
        self._uses.clear()
        self._budget.renew()
        # What fails after a name was missing fails because of it.
        with contextlib.suppress(Exception):
            again.render(row.variables)
        return list({(str(use.name), use.filename, use.line): use for use in self._uses}.values())


def _environment(
    files: TemplateFiles, kind: Kind, language_column: str, budget: Budget
) -> jinja2.Environment:
    environment = BoundedEnvironment(
        budget,
        markdown_text if kind is Kind.MARKDOWN else None,
        loader=files,
        undefined=Missing,
        autoescape=_is_html_name if kind is Kind.TEXT else True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    del environment.filters["random"], environment.globals["lipsum"]
    environment.filters.update(filters(language_column))
    return environment


def _compiled(
    environment: jinja2.Environment, tree: nodes.Template, name: str | None, filename: str
) -> jinja2.Template:
    code = environment.compile(tree, name, filename)
    return environment.template_class.from_code(
        environment, code, environment.make_globals(None), None
    )


def _is_html_name(name: str | None) -> bool:
    stem = (name or "").lower()
    for suffix in TEMPLATE_SUFFIXES:
        stem = stem.removesuffix(suffix)
    return stem.endswith(_HTML_NAMES)


def _names(node: nodes.Node) -> list[str] | None:
    """The template names a node refers to; None where they are made at render time."""
    template = getattr(node, "template", None)
    if isinstance(template, nodes.Const):
        value = template.value
        return [value] if isinstance(value, str) else [str(name) for name in value]
    if isinstance(template, nodes.Tuple | nodes.List):
        items = [item.value for item in template.items if isinstance(item, nodes.Const)]
        return [str(item) for item in items] if len(items) == len(template.items) else None
    return None
