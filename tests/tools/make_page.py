"""Configuration of `jupyter nbconvert --config tests/make_page.py`: a page of the solution that needs no network."""

import re
from pathlib import Path

from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

c = get_config()  # noqa: F821 (nbconvert defines it)


class MathMLRenderer(IPythonRenderer):
    """Markdown to HTML with formulas as MathML. One that cannot be converted ends the conversion."""

    def inline_math(self, body, display="inline"):
        try:
            markup = convert(
                body, xmlns="", display=display
            )  # a namespace would become a prefix in headings
        except Exception as error:
            raise SystemExit(f"no MathML for ${body}$: {error!r}")
        if left := re.search(
            r"\\\w*|\$|&(?!#)", markup
        ):  # latex2mathml passes on what it does not know
            raise SystemExit(f"no MathML for ${body}$: it does not know {left[0]}")
        return markup

    def block_math(self, body):
        return self.inline_math(body, "block")

    def latex_environment(self, name, body):
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")


def prepare(notebook, resources):
    """Give the page its title and each figure its alternative text, and take out widgets, which need scripts."""
    notebook.metadata.title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
    notebook.metadata.pop("widgets", None)
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.outputs = [
            o
            for o in cell.outputs
            if "application/vnd.jupyter.widget-view+json" not in o.get("data", {})
        ]
        figures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        alt = cell.metadata.get("alt", [])
        texts = [alt] if isinstance(alt, str) else alt
        if len(texts) != len(figures):
            raise SystemExit(
                f"cell {cell.id}: {len(figures)} figures, but {len(texts)} alternative texts in its metadata 'alt'"
            )
        for figure, text in zip(figures, texts):
            figure.metadata["alt"] = text
    return notebook, resources


c.NbConvertApp.notebooks = ["solution_12_3_cam.ipynb"]
c.NbConvertApp.export_format = "html"
c.FilesWriter.build_directory = "."
c.HTMLExporter.template_file = str(Path(__file__).with_name("page.html.j2"))
c.HTMLExporter.exclude_input_prompt = c.HTMLExporter.exclude_output_prompt = True
c.HTMLExporter.preprocessors = [prepare]
c.HTMLExporter.filters = {
    "markdown2html": lambda text: MarkdownWithMath(
        renderer=MathMLRenderer(escape=False, anchor_link_text="")
    ).render(text)
}
