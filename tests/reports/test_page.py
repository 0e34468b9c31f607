"""Pages are made of sections with cards and of sections that know of none."""

from __future__ import annotations

from markupsafe import Markup

from tf_recdenoiser.reports import Card, Entry, Picture, Section, Table, render
from tf_recdenoiser.reports.pictures import as_svg, drawing, literal, new_figure

BAD = "<b>&"


def page(*sections: object) -> str:
    values = {"title": BAD, "about": BAD, "sections": sections, "origin": {BAD: BAD}}
    return render("page.html", values)


def test_sections_may_be_mappings_without_cards() -> None:
    section = {
        "title": "T",
        "about": "A",
        "pictures": [{"svg": Markup("<svg></svg>"), "caption": BAD}],
        "tables": [{"caption": BAD, "columns": ["a", "b"], "rows": [[1, BAD]]}],
        "note": BAD,
    }
    text = page(section)
    assert "<svg></svg>" in text and "<ol>" not in text and "<b>" not in text
    assert '<th scope="row">1</th>' in text and "<td>&lt;b&gt;&amp;</td>" in text


def test_all_parts_of_a_section_are_there_and_escaped() -> None:
    entries = [Entry(BAD, 0.25, BAD), Entry("x", 1.0, "1", is_marked=True)]
    section = Section(
        name="n",
        title=BAD,
        about=BAD,
        pictures=[Picture(Markup("<svg></svg>"))],
        cards=[Card(BAD, entries, BAD)],
        tables=[Table([BAD], [[BAD]], BAD)],
        note=BAD,
    )
    text = page(section)
    assert "<b>" not in text
    assert 'style="width: 25.0%"' in text and text.count('class="marked"') == 1


def test_dollars_and_letters_of_any_language_are_texts_of_a_picture() -> None:
    with drawing():
        figure = new_figure()
        figure.subplots().set_title(literal("$2 or $x_1$, 茶 <b>&"))
        svg = as_svg(figure, "a title")
    assert "$2 or $x_1$, 茶 &lt;b&gt;&amp;" in svg
