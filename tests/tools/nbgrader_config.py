"""nbgrader's configuration for this exercise: copy it to the course folder under this name.

It collects what learning platforms and students make of a file name, repairs what editors do to
files, fences submissions in where the system allows it (Linux, bubblewrap), and leaves nothing in
what is opened afterwards that could run in a browser.

`python nbgrader_config.py` in the course folder lists everybody whose score is not complete.
"""

import ast
import asyncio
import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
import zipfile
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.exporters import NotebookExporter
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import ExtractorPlugin, FileNameCollectorPlugin
from nbgrader.preprocessors import (
    AssignLatePenalties,
    ClearOutput,
    Execute,
    GetGrades,
    LimitOutput,
    NbGraderPreprocessor,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)

ASSIGNMENT, NOTEBOOK = "cam", "exercise_12_3_cam"
GRADEBOOK = "sqlite:///gradebook.db?timeout=300"  # several processes wait for each other
MOST_PRINTED = 20_000_000  # characters that a cell may put out, pictures included
MOST_TYPED = 10_000  # characters of Markdown, beside pictures: beyond, its parser may take minutes
TEXT = r"^answer\s*=[\s(rf]*[\"']"  # how an answer to Task 5 begins
BLANK = "your code here"

# What learning platforms put before a student's file, or how they name a student's folder. Behind
# that a name is the student's own: nothing there may pass for another student, or for a command.
PLATFORMS = (
    r"[^/_]+(?:_LATE)?_(?P<student>\d+)_\d{5,}_",  # Canvas: lovelaceada_LATE_1001_67890_...
    r"(?P<student>\d+)-\d{3,} - (?:[^/]* - )?",  # Brightspace: 1001-2345 - Ada Lovelace - Jan ...
    r"[^/]*?_(?P<student>\d+)_assignsubmission_[a-z]+_?",  # Moodle: Ada Lovelace_1001_assign...
    r"[^/]*?_(?P<student>[a-zA-Z\d][a-zA-Z\d.@-]*)_attempt_[\d-]+_?",  # Blackboard: cam_ada01_at...
    r"(?<=/)[^/_\d]+_[^/\d]+_[^/]+_(?P<student>(?!20\d\d/)\d+)/",  # ILIAS: Lovelace_Ada_ada01_1001/
    r"(?<=/)[^/,]+, [^/]+\((?P<student>\w[\w.@-]*)\)/",  # Sakai: Lovelace, Ada(ada01)/...
)


class Unpack(ExtractorPlugin):
    """Unpack archives, also archives in archives. One that cannot be unpacked is named."""

    def extract(self, archive_path, extracted_path):
        shutil.copytree(archive_path, extracted_path, dirs_exist_ok=True)
        for _ in range(3):  # a class in an archive, a student in an archive, and one more
            for path in sorted(Path(extracted_path).rglob("*")):
                if path.suffix.lower() == ".zip" and path.is_file():
                    self.unpack(path)
        for path in sorted(Path(extracted_path).rglob("*.ipynb.*")):  # by Safari and Windows
            right = path.with_suffix("")
            if right.suffix == ".ipynb" and not right.exists():
                path.rename(right)

    @staticmethod
    def unpack(path):
        """Replace a copy of an archive by a folder with what is in it, and a mark."""
        folder = path.with_suffix("")
        try:
            archive = zipfile.ZipFile(path)
            folder.mkdir(exist_ok=True)
        except Exception as error:  # damaged, or of another kind than its name says
            say_once(f"{path.name}: cannot be unpacked ({error})")
            return
        with archive:
            for member in archive.infolist():
                try:
                    archive.read(member)  # first, so that a damaged one leaves no file
                    archive.extract(member, folder)
                except Exception as error:  # damaged, with a password or with too long a name
                    say(f"{member.filename} in {path.name}: cannot be unpacked ({error})")
        path.unlink()
        (folder / "(unpacked)").touch()  # so that nobody vanishes whose archive is empty


class OneNotebookEach(FileNameCollectorPlugin):
    """Collect one notebook of each student, and name everybody who has more than one or none.

    It is the one with the right name or, without it, the highest number in parentheses. What was
    collected before stays: an instructor may have mended it.
    """

    chosen = None

    def collect(self, submitted_file):
        app, course = self.parent, self.parent.coursedir
        if self.chosen is None:
            place = (app.downloaded_directory, course.assignment_id, app.extracted_directory)
            self.chosen = self.choose(os.path.join(course.root, *place))
        student = self.chosen.get(submitted_file)
        if student is None:
            return None
        kept = course.format_path(course.submitted_directory, student, course.assignment_id)
        before = [path.read_bytes() for path in Path(kept).glob("*.ipynb")]
        if not before:
            return {"student_id": student, "file_id": NOTEBOOK}
        if Path(submitted_file).read_bytes() not in before:
            old, new = (os.path.relpath(path, course.root) for path in (kept, submitted_file))
            say(f"{student}: keeps what is in {old}, which differs from {new}")
        return None

    @staticmethod
    def choose(folder):
        """Return the file to be taken -> the student; print what needs a look."""
        found = {}
        for path in sorted(Path(folder).rglob("*")):
            place = path.relative_to(folder)
            if path.is_file() and not is_shadow(place):
                student, name = owner_of(place)
                found.setdefault(student, []).append((rank_of(name), str(place)))
        for _, place in found.pop(None, []):
            if place.endswith(".ipynb"):
                say(f"{place}: whose is it? Copy it to submitted/NUMBER/{ASSIGNMENT}")
        chosen = {}
        for student, files in found.items():
            best, *others = (place for _, place in sorted(files, reverse=True))
            if not best.endswith(".ipynb"):
                say(f"{student}: no notebook, but {', '.join([best, *others])}")
                continue
            chosen[os.path.join(folder, best)] = student
            skipped = [place for place in others if place.endswith(".ipynb")]
            if skipped:
                say(f"{student}: took {best}, skipped {', '.join(skipped)}")
        return chosen


def is_shadow(place):
    """Say whether a file is macOS's or Jupyter's, not the student's own."""
    *folders, name = place.parts
    hidden = any(folder.startswith((".", "__MACOSX")) for folder in folders)
    return hidden or name.startswith(("._", ".~", ".DS_"))


def owner_of(place):
    """Return whose file it is (None: unknown), and its name without what the platform added."""
    path = place.as_posix()
    tries = [re.search(rf"(?:^|/){platform}", path) for platform in PLATFORMS]
    found = [match for match in tries if match]
    if not found:
        return None, place.name
    outermost = min(found, key=lambda match: match.start())
    return outermost["student"], path[outermost.end() :].rpartition("/")[2]


def rank_of(name):
    """Return a number: the higher, the rather a file of this name is the one to be graded."""
    stem, extension = os.path.splitext(name)
    if extension != ".ipynb":
        return -2
    if NOTEBOOK not in stem:
        return -1
    number = re.search(r"\((\d+)\)|-(\d+)$", stem)
    return float("inf") if stem == NOTEBOOK else int(number[1] or number[2]) if number else 0


class LenientExporter(NotebookExporter):
    """Read notebooks as editors leave them: with a byte-order mark, of an old minor version with
    or without ids, or with ids in the metadata."""

    def from_file(self, file_stream, resources=None, **kwargs):
        notebook = json.loads(file_stream.read().lstrip("\ufeff"))
        known = set()
        for cell in notebook["cells"]:
            id = cell["metadata"].pop("id", None)
            id = cell.get("id", id)
            if not isinstance(id, str) or not re.fullmatch(r"[\w-]{1,64}", id) or id in known:
                id = uuid.uuid4().hex
            cell["id"] = id
            known.add(id)
        notebook["nbformat_minor"] = 5
        notebook["metadata"].pop("widgets", None)  # Colab stores them without their state
        read = nbformat.reads(json.dumps(notebook), as_version=4)
        return self.from_notebook_node(read, resources, **kwargs)


class Tidy(NbGraderPreprocessor):
    """Find every cell of the assignment in a submission, once; put back what cannot do without.

    A cell is found by its grade_id; without metadata by its id, and a room by its first line. A
    check is one line that students call in cells of their own, too: its text says nothing. Copies
    become cells of the student's own, and so does what stands in the cell of a check beside its
    line. Cells that are locked or have points, and are missing, are put back before the next one
    found.
    """

    def preprocess(self, nb, resources):
        fault = fault_of_data()
        if fault:
            raise FileNotFoundError(fault)  # the formgrader's own button comes here at once
        missing = []
        templates = templates_of(resources["nbgrader"])
        names = {template.metadata.nbgrader.grade_id for template in templates}
        for cell in nb.cells:
            if name_of(cell) not in names:  # of another exercise, or of an old version of this one
                cell.metadata.pop("nbgrader", None)
        for template in templates:
            wanted = template.metadata.nbgrader
            copies = self.copies_of(template, nb.cells)
            for k in copies:
                nb.cells[k].metadata.pop("nbgrader", None)
            if copies:
                best = self.best_of(copies, nb.cells, template)
                cell, call = nb.cells[best], template.source.strip()
                if is_call(template) and cell.source.strip() != call:  # merged with an answer
                    behind = first_line(cell) == call
                    nb.cells.insert(best + behind, new_code_cell(cell.source))
                    best += not behind
                cell.metadata = template.metadata
                cell.pop("attachments", None)  # of Markdown, which becomes code again
                nb.cells[best:best] = missing
                missing = []
            elif wanted.locked or wanted.grade:
                missing.append(template)
        nb.cells += missing
        return nb, resources

    @staticmethod
    def copies_of(template, cells):
        """Return the places of a cell of the assignment, and of its parts, the surest first."""
        wanted = template.metadata.nbgrader
        by_name, by_id, by_text = [], [], []
        for k, cell in enumerate(cells):
            if "nbgrader" in cell.metadata:
                if name_of(cell) == wanted.grade_id:
                    by_name.append(k)
            elif cell.id == template.id:
                by_id.append(k)
            elif cell.cell_type == "code":
                if wanted.locked:
                    same = not is_call(template) and first_line(cell) == first_line(template)
                else:  # the text of Task 5, which has points of its own, may stand in a new cell
                    same = wanted.grade and re.search(TEXT, cell.source, re.M)
                if same:
                    by_text.append(k)
        if wanted.grade and not wanted.locked:
            return by_name + by_id + by_text
        return by_name or by_id or by_text

    @staticmethod
    def best_of(copies, cells, template):
        """Return the copy that counts: of rooms the first, of checks the last, of answers the
        first one that is filled in."""
        if is_call(template):
            return copies[-1]
        filled = [k for k in copies if not is_blank(cells[k])]
        return (filled or copies)[0]


def templates_of(place):
    """Return the cells of the assignment as nbgrader's database knows them."""
    with Gradebook(place["db_url"]) as gradebook:
        source = gradebook.find_notebook(place["notebook"], place["assignment"])
        points = {cell.name: cell.max_score for cell in source.grade_cells}
        return [template_of(cell, points) for cell in source.source_cells]


def template_of(source_cell, points):
    name = source_cell.name
    metadata = {"schema_version": 3, "grade_id": name, "locked": source_cell.locked}
    metadata |= {"grade": name in points, "solution": not source_cell.locked, "task": False}
    if name in points:
        metadata["points"] = points[name]
    cell = new_code_cell(source_cell.source, id=name.replace("_", "-"))
    cell.metadata = nbformat.from_dict({"nbgrader": metadata})
    if cell.source.startswith("# @title"):
        cell.metadata.jupyter = {"source_hidden": True}
    return cell


def name_of(cell):
    """Return the grade_id of a cell, or None."""
    return (cell.metadata.get("nbgrader") or {}).get("grade_id")


def first_line(cell):
    return cell.source.strip().partition("\n")[0].strip()


def is_call(cell):
    """Say whether a cell is the one line that calls a check."""
    return re.fullmatch(r"check_task_\d\(\)", cell.source.strip())


def is_blank(cell):
    """Say whether a cell still stops at the line that an answer replaces."""
    return re.search(rf"^\s*raise Stop\(['\"]{BLANK}", cell.source, re.M)


class Bounded(Execute):
    """Run a submission. A cell that puts out too much is interrupted; one that ends it is named."""

    def preprocess_cell(self, cell, resources, index):
        self.printed = 0
        try:
            return super().preprocess_cell(cell, resources, index)
        except DeadKernelError:
            why = "its kernel died (memory? an exit?)"
        except CellTimeoutError:
            endless = self.printed > MOST_PRINTED
            why = "it prints without an end" if endless else "its kernel could not be interrupted"
        raise DeadKernelError(f"{why} in the cell '{first_line(cell)}'")

    def process_message(self, message, cell, index):
        if message["msg_type"] in ("stream", "display_data", "execute_result"):
            before = self.printed
            self.printed += max(1000, len(str(message["content"])))
            if self.printed > MOST_PRINTED:
                if before <= MOST_PRINTED:
                    asyncio.ensure_future(self.km.interrupt_kernel())
                    text = f"more than {MOST_PRINTED:,} characters"
                    error = {"ename": "EndlessOutput", "evalue": text, "traceback": [text]}
                    cell.outputs.append(new_output("error", **error))
                return None
        return super().process_message(message, cell, index)


# What Markdown may become in HTML, and every attribute of it.
TAGS = set(
    "a blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr img input li ol p".split()
)
TAGS |= set("pre span strong table tbody td th thead tr ul".split())
ATTRIBUTES = {
    "href": r"https?://.*|mailto:.*|#.*",
    "src": r"data:image/(png|jpeg);base64,[\w+/=\s]+",
    "id": r"(?!task_).*",  # the formgrader finds its own input fields by such names
    "class": ".*",
    "style": r"text-align: ?(left|center|right);?",
}
ATTRIBUTES |= dict.fromkeys(["alt", "title", "type", "checked", "disabled", "start"], ".*")
FORMULAS = (
    r"\\(href|url|require|style|class|cssId|data|html\w*|includegraphics|mmlToken|bbox)(?![a-zA-Z])"
)


class NoHTML(IPythonRenderer):
    """A renderer of Markdown that refuses HTML, and diagrams, whose text would become HTML."""

    def block_html(self, html):
        raise InvalidNotebook("HTML")

    inline_html = block_mermaidjs = block_html


def is_harmless(markdown, attachments=None):
    """Say whether Markdown is without HTML, scripts, and pictures or files from other places."""
    if len(re.sub(r"base64,[\w+/=]+", "", markdown)) > MOST_TYPED:
        return False
    try:
        html = MarkdownWithMath(NoHTML(escape=False, attachments=attachments)).render(markdown)
    except Exception:  # HTML, or what the formgrader would stop at, such as a lost attachment
        return False
    page = BeautifulSoup(html, "html.parser", multi_valued_attributes=None)
    for tag in page.find_all(True):
        for name, value in tag.attrs.items():
            if not re.fullmatch(ATTRIBUTES.get(name, "nothing"), value, re.S | re.I):
                return False
        if tag.name not in TAGS:
            return False
    return not re.search(FORMULAS, page.get_text())


def as_text(markdown):
    """Return Markdown that shows its own source: indented, which nothing in it can end."""
    markdown = re.sub(r"base64,[\w+/=]+", "base64,...", markdown)
    if len(markdown) > MOST_TYPED:
        markdown = f"{markdown[:MOST_TYPED]}\n(and more)"
    return "\n".join(f"    {line}" for line in markdown.splitlines())


def released_markdown():
    """Return the sources of the assignment's own Markdown cells."""
    path = Path("release", ASSIGNMENT, f"{NOTEBOOK}.ipynb")
    cells = nbformat.read(path, as_version=4).cells if path.exists() else []
    return {cell.source for cell in cells if cell.cell_type == "markdown"}


class Harmless(NbGraderPreprocessor):
    """Leave nothing of a submission that could run in a browser, or load from elsewhere.

    Figures, plain text, formulas and Markdown without HTML stay. Markdown of any other kind is
    shown as it was typed. Markdown of the assignment, as it was released, stays as it is.
    """

    def preprocess(self, nb, resources):
        own = released_markdown()
        kernel = {"name": "python3", "display_name": "Python 3"}
        metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
        nb.metadata = nbformat.from_dict(metadata)
        nb.cells = [self.cleaned(cell, own) for cell in nb.cells]
        return nb, resources

    def cleaned(self, cell, own):
        """Return a cell made anew, of what is known to be harmless."""
        if cell.cell_type == "code":
            new = new_code_cell(cell.source, id=cell.id)
            for name in ("nbgrader", "jupyter"):
                if name in cell.metadata:
                    new.metadata[name] = cell.metadata[name]
            new.outputs = [self.cleaned_output(output) for output in cell.outputs]
            return new
        text, pictures = cell.source, {}
        for name, attachment in cell.get("attachments", {}).items():
            kept = {kind: data for kind, data in attachment.items() if is_picture(kind, data)}
            if kept:
                pictures[name] = kept
        if not (text in own or cell.cell_type == "markdown" and is_harmless(text, pictures)):
            return new_markdown_cell(as_text(text), id=cell.id)
        new = new_markdown_cell(text, id=cell.id)
        if pictures:
            new.attachments = pictures
        return new

    @staticmethod
    def cleaned_output(output):
        kind = output.output_type
        if kind == "stream":
            name = "stderr" if output.name == "stderr" else "stdout"
            return new_output(kind, name=name, text=short(output.text))
        if kind == "error":
            error = {"ename": short(output.ename), "evalue": short(output.evalue)}
            return new_output(kind, traceback=[short(line) for line in output.traceback], **error)
        data = {}
        for kind, content in output.data.items():
            if is_picture(kind, content):
                data[kind] = content
            elif kind in ("text/markdown", "text/latex"):
                text = short(content)
                data["text/markdown"] = text if is_harmless(text) else as_text(text)
            elif kind == "text/plain":
                data[kind] = short(content)
        return new_output("display_data", data=data or {"text/plain": "(not shown)"})


def is_picture(kind, content):
    """Say whether a part of an output is a figure, in base64 and nothing else."""
    return kind in ("image/png", "image/jpeg") and re.fullmatch(r"[\w+/=\s]+", str(content))


def short(text):
    return str(text)[:100_000]


class ShortChecks(NbGraderPreprocessor):
    """Leave of folded code only its first line, so that what a check says stands right below."""

    def preprocess_cell(self, cell, resources, index):
        answer = cell.metadata.get("nbgrader", {}).get("solution")
        if cell.cell_type == "code" and cell.source.startswith("# @title") and not answer:
            cell.source = first_line(cell)
        return cell, resources


def give_the_right_name(assignment, student, notebooks):
    """Copy the only notebook of a submission to the name that was handed out."""
    right = Path(notebooks[0]).with_name(f"{NOTEBOOK}.ipynb")
    if len(notebooks) == 1 and not right.exists():
        shutil.copy(notebooks[0], right)
        notebooks[:] = [str(right)]


def find_data():
    """Make the path of the data file absolute, as cells run in other folders than nbgrader."""
    path = os.environ.get("ISING_DATA")
    if path:
        path = os.path.expanduser(path.strip().strip("\"'"))
        os.environ["ISING_DATA"] = os.path.abspath(path)


def fault_of_data():
    """Return what is wrong with the data file that ISING_DATA names, or None."""
    path = os.environ.get("ISING_DATA")
    if path is None:
        return None
    if not os.path.isfile(path):
        fault = "which is no file"
    elif not zipfile.is_zipfile(path):
        fault = "which is no npz file"
    elif not {"C.npy", "T.npy"} <= set(zipfile.ZipFile(path).namelist()):
        fault = "which lacks the arrays C and T"
    else:
        return None
    return f"ISING_DATA names {path or 'nothing'}, {fault}: name the data file. Nobody is graded."


def why_no_fence():
    """Return why submissions cannot be fenced in here, with the way out, or None."""
    if sys.platform != "linux":
        return "it needs Linux"
    if not shutil.which("bwrap"):
        return "bubblewrap is missing (Debian, Ubuntu: sudo apt install bubblewrap)"
    trial = subprocess.run(
        "bwrap --unshare-all --ro-bind / / true".split(), capture_output=True, text=True
    )
    if trial.returncode == 0:
        return None
    reason = trial.stderr.strip() or f"bwrap ends with {trial.returncode}"
    return f"{reason} (Ubuntu: AppArmor forbids it, see tests/tools/README.md)"


def chain_of(path):
    """Return the folders of a file and of all that it leads to, link by link."""
    folders = []
    while True:
        folders.append(os.path.dirname(path))
        if not os.path.islink(path):
            return folders
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))


def make_fence(c):
    """Let kernels run in a fence: without a network, and with little to see, all read-only.

    They see the system's programs, this Python, the data file and their own submission, and have
    a /tmp of their own. nbgrader itself, with the gradebook, stays outside.
    """
    made = tempfile.mkdtemp(prefix="fence-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    folder = Path(os.environ.setdefault(f"FENCE_{os.getpid()}", made))  # see say_once
    sockets, spec = folder / "sockets", folder / "kernels" / "fenced" / "kernel.json"
    for path in (sockets, spec.parent):
        path.mkdir(parents=True, exist_ok=True)

    parts = ("bin", "lib", "lib64", "pyvenv.cfg")  # not all of /usr: courses may lie there
    roots = ("", "/usr", sys.base_prefix, sys.prefix)
    seen = [f"{root}/{part}" for root in roots for part in parts] + chain_of(sys.executable)
    variables = {"HOME": "/tmp", "PATH": f"{sys.prefix}/bin:/usr/bin:/bin"}
    for name in QUIET_AND_SMALL:
        if name in os.environ:
            variables[name] = os.environ[name]
    if "ISING_DATA" in os.environ:
        variables["ISING_DATA"] = os.environ["ISING_DATA"]
        seen.append(variables["ISING_DATA"])

    fence = "bwrap --unshare-all --die-with-parent --clearenv --proc /proc --dev /dev".split()
    fence += ["--tmpfs", "/tmp"]
    for path in seen:
        fence += ["--ro-bind-try", path, path]
    for item in variables.items():
        fence += ["--setenv", *item]
    fence += ["--bind", str(sockets), str(sockets)]
    fence += ["--ro-bind", ".", "/submission", "--chdir", "/submission"]
    kernel = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    settings = {"display_name": "fenced", "language": "python", "interrupt_mode": "message"}
    spec.write_text(json.dumps({"argv": fence + kernel, **settings}), encoding="utf-8")

    os.environ["JUPYTER_PATH"] = str(folder)
    c.ExecutePreprocessor.kernel_name = "fenced"
    c.KernelManager.transport = "ipc"  # sockets in a folder: there is no network in the fence
    c.KernelManager.connection_file = str(sockets / "kernel.json")


# One thread for each submission, as several are graded at once; and no graphics card.
QUIET_AND_SMALL = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
}


def configure(c):
    c.ClearSolutions.code_stub = {"python": f"raise Stop('{BLANK}')  # replace this line"}
    c.CourseDirectory.db_url = GRADEBOOK
    c.ExecutePreprocessor.timeout = 600  # seconds for a cell
    c.ExecutePreprocessor.iopub_timeout = 60  # seconds for the rest of what it has printed

    c.Autograde.pre_convert_hook = give_the_right_name
    c.Autograde.exporter_class = LenientExporter
    c.Autograde.sanitize_preprocessors = [
        ClearOutput,
        Tidy,
        OverwriteKernelspec,
        OverwriteCells,
    ]
    grade = [Bounded, LimitOutput, SaveAutoGrades, AssignLatePenalties, Harmless]
    c.Autograde.autograde_preprocessors = grade
    feedback = [Harmless, GetGrades, ShortChecks, CSSHTMLHeaderPreprocessor]
    c.GenerateFeedback.preprocessors = feedback
    c.ZipCollectApp.extractor_plugin = Unpack
    c.ZipCollectApp.collector_plugin = OneNotebookEach
    c.ZipCollectApp.log_level = "ERROR"  # the collector itself says what needs a look

    find_data()
    if "autograde" in sys.argv:
        os.environ.update(QUIET_AND_SMALL)
        if fault_of_data():
            sys.exit(fault_of_data())
        if "ISING_DATA" not in os.environ:
            say_once("ISING_DATA is not set: every submission makes its own data, which is slow.")
    reason = why_no_fence()
    if reason is None:
        make_fence(c)
    elif {"autograde", "generate_assignment"} & set(sys.argv):
        say_once(f"No fence, submissions run with your rights: {reason}.")


def say(line):
    """Print a line, without anything in it that a terminal would take for a command."""
    print("".join(filter(str.isprintable, line)), flush=True)


def say_once(line):
    """Print a line, though nbgrader reads this file more than once, but in each process."""
    name = f"SAID_{os.getpid()}"
    said = os.environ.get(name, "")
    if line not in said:
        say(line)
        os.environ[name] = said + line


def reasons_of(student):
    """Return why the score of a student is not complete, and what a grader has to look at."""
    submitted = Path("submitted", student, ASSIGNMENT)
    graded = Path("autograded", student, ASSIGNMENT, f"{NOTEBOOK}.ipynb")
    if not graded.exists():
        files = sorted(path.name for path in submitted.glob("*.ipynb"))
        if f"{NOTEBOOK}.ipynb" not in files and len(files) != 1:
            return [f"no {NOTEBOOK}.ipynb, but {', '.join(files) or 'no notebook'}"]
        return [why_not_graded(Path(f"{student}.log"))]
    cells = nbformat.read(graded, as_version=4).cells
    known = {cell.metadata.nbgrader.grade_id: cell for cell in cells if is_known(cell)}
    reasons = troubles_in(cells)
    if any(path.stat().st_mtime > graded.stat().st_mtime for path in submitted.glob("*.ipynb")):
        reasons.append("its file is newer than what was graded: has it changed? Grade it anew")
    with Gradebook(GRADEBOOK) as gradebook:
        notebook = gradebook.find_submission_notebook(NOTEBOOK, ASSIGNMENT, student)
        for grade in notebook.grades:
            number = grade.name.split("_")[1]
            answer, check = known.get(f"task_{number}_answer"), known[grade.name]
            if grade.needs_manual_grade:
                reasons.append(f"Task {number}: to be graded by hand")
            elif grade.score < grade.max_score:
                reasons.append(f"Task {number}: {why_less(grade, answer, check)}")
    return reasons


def why_not_graded(log):
    """Return the last error in the log of a student's grading, in a line."""
    if not log.exists():
        return "not graded yet"
    text = log.read_text(encoding="utf-8")
    errors = re.findall(r"^ *([\w.]+(?:Error|Exception): .*|ISING_DATA names .*)$", text, re.M)
    last = errors[-1] if errors else f"see {log}"
    if "JSONDecodeError" in last:
        return "not graded: the file is cut off or damaged, ask for it again"
    return f"not graded: {last.removeprefix('nbclient.exceptions.DeadKernelError: ')}"


def is_known(cell):
    return "nbgrader" in cell.metadata


def troubles_in(cells):
    """Return what else a grader has to know: names of the checks defined anew, cells cut off."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    given = {cell.source for cell in code if is_known(cell) and cell.metadata.nbgrader.locked}
    defined = re.compile(r"^(?:def |class )?(check_task_\d|Stop|_\w+)\b", re.M)
    names = "|".join(name for source in given for name in defined.findall(source))
    troubles = []
    for cell in code:
        if cell.source not in given:
            for bound in bound_in(tree_of(cell.source)):
                anew = re.match(rf"(?:(?:globals|locals|vars)\(\)\[.)?({names})\b", bound)
                if anew:
                    troubles.append(f"{anew[1]} is defined anew: look at all points")
            trouble = trouble_of(cell)
            cut_off = not is_known(cell) and trouble and trouble.startswith(("runs", "prints"))
        else:
            trouble = trouble_of(cell, expected=None)
            cut_off = trouble and not is_call(cell)
        if cut_off:
            troubles.append(f"the cell '{first_line(cell)}' {trouble}")
    return list(dict.fromkeys(troubles))


def bound_in(node):
    """Return what code binds or changes, but for names of its functions and comprehensions."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        return []
    if isinstance(node, ast.alias):
        return [node.asname or node.name]
    bound = [ast.unparse(node)] if isinstance(getattr(node, "ctx", None), ast.Store) else []
    return bound + [name for child in ast.iter_child_nodes(node) for name in bound_in(child)]


def tree_of(source):
    """Return the syntax tree of a cell without IPython's lines; it is empty if it cannot run."""
    try:
        return ast.parse(re.sub(r"^([ \t]*)[%!].*", r"\1pass", source, flags=re.M))
    except SyntaxError:
        return ast.parse("")


def trouble_of(cell, expected="Stop"):
    """Return how a cell ended, but for what a check says: a few words, or None."""
    errors = {o.ename: o.evalue for o in cell.outputs if o.output_type == "error"}
    if "CellTimeoutError" in errors:
        return "runs beyond the time limit"
    if "EndlessOutput" in errors:
        return "prints without an end"
    for name, value in errors.items():
        if name != expected:
            return f"stops with {name}: {value}".split("\n")[0]
    return None


def why_less(grade, answer, check):
    """Return why a task has less than all points, in a line."""
    if grade.manual_score is not None:
        return f"{grade.score:g} of {grade.max_score:g} points by hand"
    if answer is check:  # Task 5, whose text itself has points
        return "no answer in its cell: look at what stands around it"
    if answer and is_blank(answer):
        return "still empty"
    for cell, name in ((answer, "cell"), (check, "check")):
        if cell and trouble_of(cell):
            return f"its {name} {trouble_of(cell)}"
    for output in check.outputs:
        if output.output_type == "error":
            return output.evalue.split("\n")[0] or output.ename
        if output.get("name") == "stderr":
            return f"written to stderr: {output.text.splitlines()[0]}"
    return "less than all points"


def report():
    """Print everybody whose score is not complete, with the reason."""
    with Gradebook(GRADEBOOK) as gradebook:
        students = [path.name for path in Path("submitted").glob("[!.]*") if path.is_dir()]
        for student in sorted(students, key=lambda student: (len(student), student)):
            try:
                score = gradebook.find_submission(ASSIGNMENT, student).score
            except MissingEntry:
                score = 0
            try:
                reasons = reasons_of(student)
            except Exception as error:  # whatever a submission holds, the others are listed
                reasons = [f"cannot be listed ({type(error).__name__}): look at it"]
            for reason in reasons:
                say(f"{student}: {score:g} points; {reason}")


if __name__ == "__main__":
    report()
else:
    configure(get_config())
