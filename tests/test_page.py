"""The page that make_page.py makes of the stored solution, opened in Chromium without a network."""

import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import REPO, SOLUTION, code_cells

FOLDED = {
    id: cell
    for id, cell in code_cells(SOLUTION).items()
    if cell.metadata.get("jupyter", {}).get("source_hidden")
}


def convert(folder):
    """Run nbconvert in a folder as the README does, but without --execute."""
    command = [sys.executable, "-m", "nbconvert", "--config", str(REPO / "tests" / "make_page.py")]
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
    """The page in a fresh tab, 1600 pixels wide or as parametrized; its requests are in page.requests."""
    page = browser.new_page(viewport={"width": getattr(request, "param", 1600), "height": 900})
    page.requests = []
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(html.as_uri())
    yield page
    page.close()


def test_page_needs_no_network(page, html):
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_load_state("networkidle")
    assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.locator("script[src], link, iframe").count() == 0
    assert not re.search("mathjax|require\\.js|vnd.jupyter.widget", html.read_text(), re.I)


def test_page_is_a_complete_document(page):
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.title() == page.locator("h1").inner_text()
    assert page.locator("meta[name=viewport]").count() == 1


@pytest.mark.parametrize("page", [400, 1600], indirect=True)
def test_formulas_are_readable_mathml(page):
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    sizes = page.evaluate("""[...document.querySelectorAll('main math')].map(m => {
        const box = m.getBoundingClientRect(), px = e => parseFloat(getComputedStyle(e).fontSize)
        return [m.textContent, box.width, box.height, px(m) / px(m.parentElement)] })""")
    assert len(sizes) >= 30
    assert [s for s in sizes if s[1] < 4 or s[2] < 4 or s[3] < 0.95] == []
    text = page.evaluate("""() => { const copy = document.body.cloneNode(true)
        copy.querySelectorAll('pre, code, script').forEach(e => e.remove()); return copy.textContent }""")
    assert re.findall(r"\$[^$]*\$?|\\\w+", text) == []


def test_folded_cells_open_on_a_click(page):
    assert FOLDED and page.locator("details.folded").count() == len(FOLDED)
    for id, cell in FOLDED.items():
        place = page.locator(f'[id="cell-id={id}"]')
        details, code = place.locator("details.folded"), place.locator("details.folded pre")
        assert cell.source.splitlines()[0] == f"# @title {details.locator('summary').inner_text()}"
        assert not details.evaluate("d => d.open") and not code.is_visible(), id
        assert all(
            output.is_visible() for output in place.locator(".jp-OutputArea-output").all()
        ), id
        details.locator("summary").click()
        assert code.is_visible() and code.inner_text().strip() == cell.source.strip(), id


def test_each_figure_has_a_text_of_its_own(page):
    images = page.locator("img").evaluate_all("images => images.map(i => [i.alt, i.naturalWidth])")
    texts = [text for text, width in images]
    stored = [cell.metadata.get("alt", []) for cell in code_cells(SOLUTION).values()]
    assert texts and texts == sum(
        ([alt] if isinstance(alt, str) else list(alt) for alt in stored), []
    )
    assert all(width > 0 for text, width in images)
    assert len(set(texts)) == len(texts) and min(map(len, texts)) >= 25
    assert not any("No description has been provided" in text for text in texts)


def test_links_within_the_page_lead_somewhere(page):
    dead = page.evaluate("""[...document.querySelectorAll('a[href^="#"]')].map(a => a.getAttribute('href'))
        .filter(href => !document.getElementById(decodeURIComponent(href.slice(1))))""")
    assert dead == []
    headings = page.locator("main :is(h2, h3)").all_inner_texts()
    assert headings and page.locator("nav a").count() == len(headings)
    page.locator("nav a").last.click()
    page.wait_for_function(
        "text => { const h = [...document.querySelectorAll('main :is(h2, h3)')].at(-1)"
        ".getBoundingClientRect(); return h.top >= 0 && h.bottom <= innerHeight }"
    )


@pytest.mark.parametrize("page", [400, 1600], indirect=True)
def test_page_fits_the_screen(page):
    page.evaluate("document.querySelectorAll('main details').forEach(d => d.open = true)")
    width, room, main = (
        page.evaluate("""[document.documentElement.scrollWidth, document.documentElement.clientWidth,
        document.querySelector('main').getBoundingClientRect().width / parseFloat(getComputedStyle(document.documentElement).fontSize)]""")
    )
    assert width <= room + 1
    wide = page.evaluate("""[...document.querySelectorAll('main *')].filter(e => e.clientWidth && e.scrollWidth > e.clientWidth + 1
        && getComputedStyle(e).overflowX != 'visible').map(e => e.closest('pre, table, math')?.tagName ?? e.className)""")
    assert set(wide) <= {
        "PRE",
        "TABLE",
        "math",
    }  # these scroll in their boxes, nothing else does or is cut off
    assert main < 60  # em: a line that the eye can follow
    column = page.locator("main").bounding_box()
    for image in page.locator("img").all():
        box = image.bounding_box()
        assert (
            box["x"] >= column["x"] and box["x"] + box["width"] <= column["x"] + column["width"] + 1
        )


@pytest.mark.parametrize(
    "text, alt, complaint",
    [
        ("$x^2$", None, "cell sketch: 1 figures"),
        ("$x^2$", ["one", "two"], "cell sketch: 1 figures"),
        (r"$\nonsense{x}$", "one", r"no MathML for $\nonsense{x}$"),
        (r"$$\big\langle x \big\rangle$$", "one", r"no MathML for $\big\langle x \big\rangle$"),
        (r"$x_$", "one", "no MathML for $x_$"),
        (
            "# On $x_i^2$\n\n| a | b |\n|--|--|\n| $y$ | $z$ |\n\n- $w$\n\n<details><summary>Hint</summary>\n\n$v$\n\n</details>",
            ['<a> & "b"', "second"],
            None,
        ),
    ],
)
def test_conversion_says_in_one_line_what_is_missing(tmp_path, text, alt, complaint):
    figure = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="})
    widget = nbformat.v4.new_output(
        "display_data",
        {"application/vnd.jupyter.widget-view+json": {"model_id": "m"}, "text/plain": "Slider()"},
    )
    state = {"application/vnd.jupyter.widget-state+json": {"state": {"m": {}}}}
    figures = [figure] if complaint else [figure, figure]
    cell = nbformat.v4.new_code_cell(
        "1", id="sketch", metadata={"alt": alt} if alt else {}, outputs=[*figures, widget]
    )
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(text), cell], metadata={"widgets": state}
    )
    nbformat.write(notebook, tmp_path / SOLUTION.name)
    result, html = convert(tmp_path), tmp_path / f"{SOLUTION.stem}.html"
    if complaint:
        assert result.returncode != 0 and not html.exists()
        assert complaint in result.stderr.splitlines()[-1] and "Traceback" not in result.stderr
    else:
        assert result.returncode == 0, result.stderr
        body = BeautifulSoup(html.read_text(), "html.parser").main
        assert (
            len(body.select("math")) == 5
            and "$" not in body.get_text()
            and not body.select("h1 > :not(math, .anchor-link)")
        )
        assert (
            [image["alt"] for image in body.select("img")] == alt
            and "Slider" not in str(body)
            and "vnd.jupyter" not in str(body)
        )
