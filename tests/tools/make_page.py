"""Configuration of `jupyter nbconvert --config tests/tools/make_page.py`.

It makes a page of the solution that needs no network.
"""

import re
from pathlib import Path

from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

c = get_config()


class MathMLRenderer(IPythonRenderer):
    """Markdown to HTML with formulas as MathML. One that cannot be converted is an error."""

    def inline_math(self, body, display="inline"):
        try:
            markup = convert(body, xmlns="", display=display)  # xmlns would be a prefix in headings
        except Exception as error:
            raise SystemExit(f"no MathML for ${body}$: {error!r}") from None
        left = re.search(r"\\\w*|\$|&(?!#)", markup)  # latex2mathml passes on what it does not know
        if left:
            raise SystemExit(f"no MathML for ${body}$: it does not know {left[0]}")
        return markup

    def block_math(self, body):
        return f'<div class="formula">{self.inline_math(body, "block")}</div>'


def to_html(text):
    """Return Markdown as HTML with MathML."""
    renderer = MathMLRenderer(escape=False, anchor_link_text="")
    return MarkdownWithMath(renderer=renderer).render(text)


def belongs_on_the_page(output):
    """Say whether an output is neither a widget, which needs scripts, nor a full progress bar."""
    data = output.get("data", {})
    widget = "application/vnd.jupyter.widget-view+json" in data
    return not widget and "<progress" not in data.get("text/html", "")


def prepare(notebook, resources):
    """Give the page its title and each figure its alternative text; take out what is not for it."""
    notebook.metadata.title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs = [output for output in cell.outputs if belongs_on_the_page(output)]
        figures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        alt = cell.metadata.get("alt", [])
        texts = [alt] if isinstance(alt, str) else alt
        if len(texts) != len(figures):
            counts = f"{len(figures)} figures, but {len(texts)} alternative texts"
            raise SystemExit(f"cell {cell.id}: {counts} in its metadata 'alt'")
        for figure, text in zip(figures, texts):
            figure.metadata["alt"] = text
    return notebook, resources


c.NbConvertApp.notebooks = ["solution_12_3_cam.ipynb"]
c.NbConvertApp.export_format = "html"
c.FilesWriter.build_directory = "."
c.HTMLExporter.template_file = str(Path(__file__).with_name("page.html.j2"))
c.HTMLExporter.exclude_input_prompt = c.HTMLExporter.exclude_output_prompt = True
c.HTMLExporter.exclude_input = False  # whatever a user's own jupyter_config.py says
c.HTMLExporter.theme = "light"
c.HTMLExporter.preprocessors = [prepare]
c.HTMLExporter.filters = {"markdown2html": to_html}
