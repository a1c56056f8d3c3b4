"""The page that make_page.py makes of the stored solution, opened in Chromium without a network."""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from conftest import SOLUTION, TOOLS, code_cells, is_folded

CELLS = code_cells(SOLUTION)


def convert(folder):
    """Run nbconvert in a folder as the README does, but without --execute.

    A user's own settings, which would hide the code and darken the page, change nothing.
    """
    own = 'c.TemplateExporter.exclude_input = True\nc.HTMLExporter.theme = "dark"\n'
    (folder / "jupyter_config.py").write_text(own)
    command = [sys.executable, "-m", "nbconvert", "--config", str(TOOLS / "make_page.py")]
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """The page of the stored solution, made without a warning."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copy(SOLUTION, folder)
    result = convert(folder)
    assert result.returncode == 0 and "warning" not in result.stderr.lower(), result.stderr
    assert (folder / SOLUTION.name).read_bytes() == SOLUTION.read_bytes()
    return folder / f"{SOLUTION.stem}.html"


@pytest.fixture
def page(browser, html, request):
    """The page in a fresh tab, 1600 pixels wide or as parametrized.

    Its requests are in page.requests.
    """
    width = getattr(request, "param", 1600)
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.requests = []
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(html.as_uri())
    yield page
    page.close()


ALL_WIDTHS = pytest.mark.parametrize("page", [420, 700, 1600], indirect=True)


def open_all(page):
    page.evaluate("document.querySelectorAll('main details').forEach(d => d.open = true)")


def test_page_needs_no_network(page, html):
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_load_state("networkidle")
    own = ("file:", "data:", "blob:")
    assert [url for url in page.requests if not url.startswith(own)] == []
    assert page.locator("script[src], link, iframe").count() == 0
    assert page.title() == page.locator("h1").inner_text()


def test_nothing_stands_there_that_needs_a_kernel(page, html):
    assert page.locator("progress").count() == 0
    assert "vnd.jupyter.widget" not in html.read_text(encoding="utf-8")


@ALL_WIDTHS
def test_formulas_are_readable_mathml(page):
    open_all(page)
    formulas = page.evaluate(
        """[...document.querySelectorAll('main math')].map(m => {
            const { width, height } = m.getBoundingClientRect();
            const px = e => parseFloat(getComputedStyle(e).fontSize);
            return [m.textContent, width > 4 && height > 4 && px(m) >= 0.95 * px(m.parentElement)];
        })"""
    )
    assert formulas and [formula for formula, readable in formulas if not readable] == []
    cut = page.evaluate(
        """[...document.querySelectorAll('.formula')].filter(box => {
            const { top, bottom } = box.getBoundingClientRect();
            const parts = [...box.querySelectorAll('*')].map(e => e.getBoundingClientRect());
            return parts.some(p => p.top < top || p.bottom > bottom);
        }).map(box => box.textContent)"""
    )
    assert cut == []
    text = page.evaluate(
        """() => {
            document.querySelectorAll('pre, code, script').forEach(e => e.remove());
            return document.body.textContent;
        }"""
    )
    assert re.findall(r"\$[^$]*\$?|\\\w+", text) == []


def test_folded_cells_open_on_a_click(page):
    folded = {id: cell.source.strip() for id, cell in CELLS.items() if is_folded(cell)}
    assert folded and page.locator("details.folded").count() == len(folded)
    for id, source in folded.items():
        place = page.locator(f'[id="cell-id={id}"]')
        title, code = place.locator("details.folded summary"), place.locator("details.folded pre")
        assert source.splitlines()[0] == f"# @title {title.inner_text()}"
        assert not code.is_visible(), id
        assert all(output.is_visible() for output in place.locator(".jp-OutputArea-output").all())
        title.click()
        assert code.is_visible() and code.inner_text().strip() == source, id


def test_each_figure_has_a_text_of_its_own(page):
    images = page.locator("img").evaluate_all("images => images.map(i => [i.alt, i.naturalWidth])")
    texts = [text for text, _ in images]
    stored = []
    for cell in CELLS.values():
        alt = cell.metadata.get("alt", [])
        stored += [alt] if isinstance(alt, str) else alt
    assert texts and texts == stored
    assert all(width > 0 for _, width in images)
    assert len(set(texts)) == len(texts) and min(map(len, texts)) >= 25


def test_links_within_the_page_lead_somewhere(page):
    links = page.locator('a[href^="#"]').evaluate_all(
        "links => links.map(a => decodeURIComponent(a.hash.slice(1)))"
    )
    ids = page.locator("[id]").evaluate_all("all => all.map(e => e.id)")
    assert set(links) <= set(ids)
    headings = page.locator("main :is(h2, h3)")
    assert page.locator("nav a").count() == headings.count() > 0
    page.locator("nav a").last.click()
    page.wait_for_function(
        """heading => {
            const { top, bottom } = heading.getBoundingClientRect();
            return top >= 0 && bottom <= innerHeight;
        }""",
        arg=headings.last.element_handle(),
    )


@ALL_WIDTHS
def test_page_fits_the_screen(page):
    """Code, formulas and tables may scroll in their boxes on a phone, but no wider screen."""
    open_all(page)
    column = page.locator("main").bounding_box()
    wide = page.evaluate(
        """[document.documentElement, ...document.querySelectorAll('main *')].filter(e =>
            e.clientWidth && e.scrollWidth > e.clientWidth + 1
            && getComputedStyle(e).overflowX != 'visible'
        ).map(e => e.closest('.highlight pre, .formula, table') ? 'box' : e.outerHTML)"""
    )
    assert set(wide) <= ({"box"} if page.viewport_size["width"] < 700 else set())
    for image in page.locator("img").all():
        box = image.bounding_box()
        assert box["x"] >= column["x"]
        assert box["x"] + box["width"] <= column["x"] + column["width"] + 1


@pytest.mark.parametrize(
    "text, alt, complaint",
    [
        ("$x^2$", None, "cell sketch: 1 figures, but 0 alternative texts"),
        (r"$\nonsense{x}$", "a figure", r"no MathML for $\nonsense{x}$"),
    ],
)
def test_conversion_says_in_one_line_what_is_missing(tmp_path, text, alt, complaint):
    figure = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="})
    metadata = {"alt": alt} if alt else {}
    code = nbformat.v4.new_code_cell("1", id="sketch", metadata=metadata, outputs=[figure])
    cells = [nbformat.v4.new_markdown_cell(text), code]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / SOLUTION.name)
    result = convert(tmp_path)
    assert result.returncode != 0 and not (tmp_path / f"{SOLUTION.stem}.html").exists()
    assert complaint in result.stderr.splitlines()[-1] and "Traceback" not in result.stderr
