"""The page that make_page.py makes of the stored solution, opened in Chromium without a network."""

import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import SOLUTION, TOOLS, code_cells, is_folded

FOLDED = {id: cell for id, cell in code_cells(SOLUTION).items() if is_folded(cell)}


def convert(folder):
    """Run nbconvert in a folder as the README does, but without --execute."""
    command = [sys.executable, "-m", "nbconvert", "--config", str(TOOLS / "make_page.py")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


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


NARROW_AND_WIDE = pytest.mark.parametrize("page", [420, 1600], indirect=True)


def open_all(page):
    page.evaluate("document.querySelectorAll('main details').forEach(d => d.open = true)")


def test_page_needs_no_network(page, html):
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_load_state("networkidle")
    own = ("file:", "data:", "blob:")
    assert [url for url in page.requests if not url.startswith(own)] == []
    assert page.locator("script[src], link, iframe, progress").count() == 0
    text = html.read_text(encoding="utf-8")
    assert not re.search("mathjax|require\\.js|vnd.jupyter.widget", text, re.I)


def test_page_is_a_complete_document(page):
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.title() == page.locator("h1").inner_text()
    assert page.locator("meta[name=viewport]").count() == 1


@NARROW_AND_WIDE
def test_formulas_are_readable_mathml(page):
    open_all(page)
    sizes = page.evaluate(
        """[...document.querySelectorAll('main math')].map(m => {
            const box = m.getBoundingClientRect();
            const px = e => parseFloat(getComputedStyle(e).fontSize);
            return [m.textContent, box.width, box.height, px(m) / px(m.parentElement)];
        })"""
    )
    assert len(sizes) >= 30
    assert [s for s in sizes if s[1] < 4 or s[2] < 4 or s[3] < 0.95] == []
    text = page.evaluate(
        """() => {
            const copy = document.body.cloneNode(true);
            copy.querySelectorAll('pre, code, script').forEach(e => e.remove());
            return copy.textContent;
        }"""
    )
    assert re.findall(r"\$[^$]*\$?|\\\w+", text) == []


@NARROW_AND_WIDE
def test_formulas_are_not_cut_off_at_top_or_bottom(page):
    open_all(page)
    cut = page.evaluate(
        """[...document.querySelectorAll('.formula')].filter(box => {
            const { top, bottom } = box.getBoundingClientRect();
            const parts = [...box.querySelectorAll('*')].map(e => e.getBoundingClientRect());
            const inside = parts.every(p => p.top >= top && p.bottom <= bottom);
            return !inside || box.scrollHeight > box.clientHeight;
        }).map(box => box.textContent)"""
    )
    assert cut == [] and page.locator(".formula").count() >= 7


def test_folded_cells_open_on_a_click(page):
    assert FOLDED and page.locator("details.folded").count() == len(FOLDED)
    for id, cell in FOLDED.items():
        place = page.locator(f'[id="cell-id={id}"]')
        details, code = place.locator("details.folded"), place.locator("details.folded pre")
        assert cell.source.splitlines()[0] == f"# @title {details.locator('summary').inner_text()}"
        assert not details.evaluate("d => d.open") and not code.is_visible(), id
        assert all(output.is_visible() for output in place.locator(".jp-OutputArea-output").all())
        details.locator("summary").click()
        assert code.is_visible() and code.inner_text().strip() == cell.source.strip(), id


def test_each_figure_has_a_text_of_its_own(page):
    images = page.locator("img").evaluate_all("images => images.map(i => [i.alt, i.naturalWidth])")
    texts = [text for text, _ in images]
    stored = []
    for cell in code_cells(SOLUTION).values():
        alt = cell.metadata.get("alt", [])
        stored += [alt] if isinstance(alt, str) else alt
    assert texts and texts == stored
    assert all(width > 0 for _, width in images)
    assert len(set(texts)) == len(texts) and min(map(len, texts)) >= 25
    assert not any("No description has been provided" in text for text in texts)


def test_links_within_the_page_lead_somewhere(page):
    dead = page.evaluate(
        """[...document.querySelectorAll('a[href^="#"]')].map(a => a.getAttribute('href'))
            .filter(href => !document.getElementById(decodeURIComponent(href.slice(1))))"""
    )
    assert dead == []
    headings = page.locator("main :is(h2, h3)").all_inner_texts()
    assert headings and page.locator("nav a").count() == len(headings)
    page.locator("nav a").last.click()
    page.wait_for_function(
        """text => {
            const last = [...document.querySelectorAll('main :is(h2, h3)')].at(-1);
            const { top, bottom } = last.getBoundingClientRect();
            return top >= 0 && bottom <= innerHeight;
        }"""
    )


@NARROW_AND_WIDE
def test_page_fits_the_screen(page):
    open_all(page)
    width, room, main = page.evaluate(
        """() => {
            const root = document.documentElement;
            const main = document.querySelector('main').getBoundingClientRect().width;
            const em = parseFloat(getComputedStyle(root).fontSize);
            return [root.scrollWidth, root.clientWidth, main / em];
        }"""
    )
    assert width <= room + 1
    assert main < 60  # em: a line that the eye can follow
    wide = page.evaluate(
        """[...document.querySelectorAll('main *')].filter(e =>
            e.clientWidth && e.scrollWidth > e.clientWidth + 1
            && getComputedStyle(e).overflowX != 'visible'
        ).map(e => e.closest('pre, table, .formula')?.tagName ?? e.className)"""
    )
    assert set(wide) <= {"PRE", "TABLE", "DIV"}  # these scroll in their boxes, nothing else does
    column = page.locator("main").bounding_box()
    for image in page.locator("img").all():
        box = image.bounding_box()
        assert box["x"] >= column["x"]
        assert box["x"] + box["width"] <= column["x"] + column["width"] + 1


def test_code_is_shown_whole_on_a_wide_screen(page):
    open_all(page)
    cut = page.evaluate(
        """[...document.querySelectorAll('.highlight pre')].filter(
            e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 60))"""
    )
    assert cut == []


WHOLE = """# On $x_i^2$

| a | b |
|--|--|
| $y$ | $z$ |

- $w$

<details><summary>Hint</summary>

$v$

</details>"""


@pytest.mark.parametrize(
    "text, alt, complaint",
    [
        ("$x^2$", None, "cell sketch: 1 figures"),
        ("$x^2$", ["one", "two"], "cell sketch: 1 figures"),
        (r"$\nonsense{x}$", "one", r"no MathML for $\nonsense{x}$"),
        (r"$$\big\langle x \big\rangle$$", "one", r"no MathML for $\big\langle x \big\rangle$"),
        (r"$x_$", "one", "no MathML for $x_$"),
        (WHOLE, ['<a> & "b"', "second"], None),
    ],
)
def test_conversion_says_in_one_line_what_is_missing(tmp_path, text, alt, complaint):
    output = nbformat.v4.new_output
    figure = output("display_data", {"image/png": "iVBORw0KGgo="})
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "m"}, "text/plain": "Slider()"}
    bar = output("display_data", {"text/html": "<progress></progress>", "text/plain": "[==] 2/2"})
    state = {"application/vnd.jupyter.widget-state+json": {"state": {"m": {}}}}
    outputs = [figure, output("display_data", view), bar] + ([] if complaint else [figure])
    metadata = {"alt": alt} if alt else {}
    code = nbformat.v4.new_code_cell("1", id="sketch", metadata=metadata, outputs=outputs)
    cells = [nbformat.v4.new_markdown_cell(text), code]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"widgets": state})
    nbformat.write(notebook, tmp_path / SOLUTION.name)
    result, html = convert(tmp_path), tmp_path / f"{SOLUTION.stem}.html"
    if complaint:
        assert result.returncode != 0 and not html.exists()
        assert complaint in result.stderr.splitlines()[-1] and "Traceback" not in result.stderr
    else:
        assert result.returncode == 0, result.stderr
        body = BeautifulSoup(html.read_text(encoding="utf-8"), "html.parser").main
        assert len(body.select("math")) == 5 and "$" not in body.get_text()
        assert not body.select("h1 > :not(math, .anchor-link), progress")
        assert [image["alt"] for image in body.select("img")] == alt
        assert "Slider" not in str(body) and "vnd.jupyter" not in str(body)
