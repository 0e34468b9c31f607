"""The pages of the documentation, made from the project's own structure.

The start page is README.md. A page or a picture that it links to is found at the same place as in
the project, a script or a notebook as a page that shows it. The reference has a page for each
package that names what is public in `__all__`, and one for each name, at the place that users
import it from. The navigation has the guide in the order of README's table, then what else is
linked to, then the reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname, normpath, relpath
from typing import Any

import griffe
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "tf_recdenoiser"

START = "README.md"
# Sections of the navigation, by how the places of their pages begin.
SECTIONS = {"Notebooks": "examples/notebooks/", "Examples": "examples/", "Project": ""}

_ROW = re.compile(r"^\| \[([^\]]+)\]\(([^)]+)\)", re.MULTILINE)
_LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
# A name that is no plain word, and not that of a parameter, which is bold.
_CODE = re.compile(r"(?<!<b>)<code>(\w*[A-Z_]\w*)</code>(?!</a>)")


@dataclass(frozen=True)
class Name:
    """A public name: the package it is imported from, and what it stands for."""

    package: griffe.Module
    name: str
    summary: str
    target: str

    @property
    def page(self) -> str:
        return f"{_folder(self.package)}/{self.name}.md"


def on_files(files: Files, config: Any) -> Files:
    """Add every page, and the navigation."""
    pages = {**_project_pages(START), **_reference()}
    for uri, content in pages.items():
        source = {"content": content} if isinstance(content, str) else {"abs_src_path": content}
        files.append(File.generated(config, uri, **source))
    config.nav = _navigation([uri for uri in pages if uri.endswith(".md")])
    return files


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Link public names, where a text has them as code, to their pages."""
    here = page.file.src_uri
    known = {
        file.src_uri.rsplit("/", 1)[-1].removesuffix(".md"): file
        for file in files.documentation_pages()
        if file.src_uri.startswith("reference/")
    }

    def linked(code: re.Match[str]) -> str:
        file = known.get(code[1])
        if file is None or file.src_uri == here:
            return code[0]
        return f'<a href="{file.url_relative_to(page.file)}">{code[0]}</a>'

    return _CODE.sub(linked, html)


# --- The navigation ---------------------------------------------------------------------------


def _navigation(uris: list[str]) -> list[Any]:
    """The pages as MkDocs takes them: titles and places, within sections."""
    guide = dict(_ROW.findall((ROOT / START).read_text(encoding="utf-8")))
    found: list[Any] = [{"Start": START}, *({title: uri} for title, uri in guide.items())]
    left = [uri for uri in uris if uri not in (START, *guide.values())]
    reference = [uri for uri in left if uri.startswith("reference/")]
    left = sorted(set(left) - set(reference))
    for title, beginning in SECTIONS.items():
        found.append({title: [uri for uri in left if uri.startswith(beginning)]})
        left = [uri for uri in left if not uri.startswith(beginning)]
    return [*found, {"Reference": _section("reference", reference)}]


def _section(folder: str, uris: list[str]) -> list[Any]:
    """The pages of a folder, its index first, and then its inner folders as sections."""
    own = [uri for uri in uris if dirname(uri) == folder]
    inner = {uri[len(folder) + 1 :].split("/")[0] for uri in uris if uri.startswith(f"{folder}/")}
    names = sorted(name for name in inner if not name.endswith(".md"))
    return [
        *sorted(own, key=lambda uri: (not uri.endswith("/index.md"), uri)),
        *({name: _section(f"{folder}/{name}", uris)} for name in names),
    ]


# --- README.md and what it links to -----------------------------------------------------------


def _project_pages(start: str) -> dict[str, str | Path]:
    """The files that can be reached from `start` by links: text of pages, paths of the others."""
    found: dict[str, str | Path] = {}
    waiting = [start]
    while waiting:
        path = waiting.pop()
        uri = _uri(path)
        if uri in found:
            continue
        if path.endswith(".md"):
            text = (ROOT / path).read_text(encoding="utf-8")
            targets = [
                normpath(f"{dirname(path)}/{link}".lstrip("/")) for link in _LINK.findall(text)
            ]
            waiting += [target for target in targets if (ROOT / target).is_file()]
            found[uri] = _LINK.sub(lambda link: f"]({_uri(link[1])}", text)
        elif path.endswith(".py"):
            code = (ROOT / path).read_text(encoding="utf-8")
            title = f"---\ntitle: {path.rsplit('/', 1)[-1]}\n---\n# {path}"
            found[uri] = f"{title}\n\n````python\n{code}````\n"
        elif path.endswith(".ipynb"):
            found[uri] = _notebook((ROOT / path).read_text(encoding="utf-8"))
        else:
            found[uri] = ROOT / path
    return found


def _notebook(text: str) -> str:
    """The cells of a notebook with what they printed and drew."""
    parts = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"````python\n{source}\n````")
        for output in cell.get("outputs", []):
            data = output.get("data", {"text/plain": output.get("text", "")})
            if "image/png" in data:
                picture = "".join(data["image/png"]).strip()
                parts.append(f'<img alt="" src="data:image/png;base64,{picture}">')
            else:
                parts.append(f"````text\n{''.join(data['text/plain']).rstrip()}\n````")
    return "\n\n".join(parts) + "\n"


def _uri(path: str) -> str:
    return f"{path}.md" if path.endswith((".py", ".ipynb")) else path


# --- The reference ----------------------------------------------------------------------------


def _reference() -> dict[str, str]:
    """The reference's pages by their places."""
    root = griffe.load(PACKAGE, search_paths=[ROOT])
    packages = [root, *_public_packages(root)]
    owners = _owners(packages[1:])
    pages = {
        name.page: f"---\ntitle: {name.name}\n---\n::: {name.package.path}.{name.name}\n"
        for name in owners.values()
    }
    for package in packages:
        place = f"{_folder(package)}/index.md"
        inner = [other for other in packages if other.parent is package]
        rows = [(f"{other.name}/index.md", other.name, _summary(other)) for other in inner]
        if package is not root:
            names = [owners[target] for _, target in _exports(package)]
            rows += [(relpath(n.page, dirname(place)), n.name, n.summary) for n in names]
        title = "Reference" if package is root else package.path
        pages[place] = f"# {title}\n\n{_text(package)}\n\n{_table(rows)}"
    return pages


def _public_packages(package: griffe.Module) -> Iterator[griffe.Module]:
    """The packages within one that say what is public, those near the top first."""
    inner = sorted(
        (
            module
            for module in package.modules.values()
            if module.is_package or module.is_subpackage
        ),
        key=lambda module: module.path,
    )
    yield from (module for module in inner if module.exports)
    for module in inner:
        yield from _public_packages(module)


def _exports(package: griffe.Module) -> Iterator[tuple[str, str]]:
    """Each name of `__all__`, and the path of what it stands for."""
    for export in package.exports or ():
        yield str(export), package[str(export)].canonical_path


def _owners(packages: list[griffe.Module]) -> dict[str, Name]:
    """What is public, by its path, where it is exported nearest to the top."""
    owners: dict[str, Name] = {}
    for package in sorted(packages, key=lambda package: (package.path.count("."), package.path)):
        for name, target in _exports(package):
            owners.setdefault(target, Name(package, name, _summary(package[name]), target))
    return owners


def _folder(package: griffe.Module) -> str:
    return "/".join(["reference", *package.path.split(".")[1:]])


def _text(thing: griffe.Object | griffe.Alias) -> str:
    return thing.docstring.value if thing.docstring else ""


def _summary(thing: griffe.Object | griffe.Alias) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(_text(thing).split("\n\n")[0].split())


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = [
        f"| [`{name}`]({link}) | {summary.replace('|', '&#124;')} |" for link, name, summary in rows
    ]
    return "\n".join(["| name | |", "|---|---|", *lines, ""])
