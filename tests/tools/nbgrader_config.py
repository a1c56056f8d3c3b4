"""nbgrader's configuration for this exercise: copy it to the course folder under this name.

It sets the stub of the blanks, time limits and the gradebook, repairs what students' editors do to
files, and fences submissions in where the system allows it (Linux, bubblewrap).

`python nbgrader_config.py` in the course folder lists everybody whose score is not complete.
"""

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearOutput,
    GetGrades,
    NbGraderPreprocessor,
    OverwriteCells,
    OverwriteKernelspec,
)

ASSIGNMENT, NOTEBOOK = "cam", "exercise_12_3_cam"
GRADEBOOK = "sqlite:///gradebook.db?timeout=300"  # several processes wait for each other


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

    A cell is found by its grade_id or, without metadata, by its first line. Copies become cells
    of the student's own. Locked cells that are missing are put back before the next one found.
    """

    def preprocess(self, nb, resources):
        place = resources["nbgrader"]
        with Gradebook(place["db_url"]) as gradebook:
            source = gradebook.find_notebook(place["notebook"], place["assignment"])
            points = {cell.name: cell.max_score for cell in source.grade_cells}
            templates = [self.template(cell, points) for cell in source.source_cells]
        missing = []
        for template in templates:
            name = template.metadata.nbgrader.grade_id
            copies = [k for k, cell in enumerate(nb.cells) if self.is_copy(cell, template)]
            for k in copies:
                nb.cells[k].metadata.pop("nbgrader", None)
            if copies:
                best = self.best_of(copies, nb.cells, template)
                nb.cells[best].metadata.nbgrader = template.metadata.nbgrader
                if len(copies) > 1:
                    self.log.warning("%s: %d copies, one is graded", name, len(copies))
                nb.cells[copies[0] : copies[0]] = missing
                missing = []
            elif template.metadata.nbgrader.locked:
                self.log.warning("%s: missing, put back", name)
                missing.append(template)
        nb.cells += missing
        return nb, resources

    @staticmethod
    def template(source_cell, points):
        """Return a cell of the assignment as nbgrader's database knows it."""
        name = source_cell.name
        metadata = {"schema_version": 3, "grade_id": name, "task": False}
        metadata |= {"locked": source_cell.locked, "checksum": source_cell.checksum}
        metadata |= {"grade": name in points, "solution": not source_cell.locked}
        metadata["cell_type"] = source_cell.cell_type
        if name in points:
            metadata["points"] = points[name]
        cell = nbformat.v4.new_code_cell(source_cell.source, metadata={"nbgrader": metadata})
        cell.metadata.jupyter = {"source_hidden": source_cell.locked}
        return cell

    @staticmethod
    def is_copy(cell, template):
        """Say whether a cell of a submission is one of the assignment, or a part of it."""
        wanted, found = template.metadata.nbgrader, cell.metadata.get("nbgrader", {})
        if "grade_id" in found:
            return found["grade_id"] == wanted.grade_id
        if cell.cell_type != "code":
            return False
        if wanted.locked:
            return cell.source.split("\n")[0] == template.source.split("\n")[0]
        # The text of Task 5, which has points of its own, may stand in a new cell.
        return wanted.grade and re.search(r"^answer\s*=", cell.source, re.M) is not None

    @staticmethod
    def best_of(copies, cells, template):
        """Return the copy to be graded: of checks the last, of answers the first not empty."""
        if template.metadata.nbgrader.locked:
            return copies[-1]
        filled = [k for k in copies if "raise Stop('your code here')" not in cells[k].source]
        return (filled or copies)[0]


class ShortChecks(NbGraderPreprocessor):
    """Leave of folded code only its first line, so that what a check says stands right below."""

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type == "code" and cell.source.startswith("# @title"):
            cell.source = cell.source.split("\n")[0]
        return cell, resources


def give_the_right_name(assignment, student, notebooks):
    """Copy the only notebook of a submission to the name that was handed out."""
    right = Path(notebooks[0]).with_name(f"{NOTEBOOK}.ipynb")
    if len(notebooks) == 1 and not right.exists():
        shutil.copy(notebooks[0], right)
        notebooks[:] = [str(right)]


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
    return f"{reason} (Ubuntu: AppArmor forbids it, see the README)"


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
    folder = Path(os.environ.setdefault("FENCE", made))  # nbgrader reads this file more than once
    sockets, spec = folder / "sockets", folder / "kernels" / "fenced" / "kernel.json"
    for path in (sockets, spec.parent):
        path.mkdir(parents=True, exist_ok=True)

    parts = ("bin", "lib", "lib64", "pyvenv.cfg")  # not all of /usr: courses may lie there
    roots = ("", "/usr", sys.base_prefix, sys.prefix)
    seen = [f"{root}/{part}" for root in roots for part in parts] + chain_of(sys.executable)
    variables = {"HOME": "/tmp", "PATH": f"{sys.prefix}/bin:/usr/bin:/bin"}
    for name in ("LANG", "NBGRADER_EXECUTION", *QUIET_AND_SMALL):
        if name in os.environ:
            variables[name] = os.environ[name]
    if os.path.isfile(os.environ.get("ISING_DATA", "")):
        variables["ISING_DATA"] = os.path.abspath(os.environ["ISING_DATA"])
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
    c.ClearSolutions.code_stub = {"python": "raise Stop('your code here')  # replace this line"}
    c.CourseDirectory.db_url = GRADEBOOK
    c.ExecutePreprocessor.timeout = 600  # seconds for a cell

    c.Autograde.pre_convert_hook = give_the_right_name
    c.Autograde.exporter_class = LenientExporter
    c.Autograde.sanitize_preprocessors = [
        ClearOutput,
        Tidy,
        OverwriteKernelspec,
        OverwriteCells,
        CheckCellMetadata,
    ]
    c.GenerateFeedback.preprocessors = [GetGrades, ShortChecks, CSSHTMLHeaderPreprocessor]

    # A learning platform's zip: Ada Lovelace_12345_assignsubmission_file_exercise_12_3_cam.ipynb
    person = r".*/(?P<first_name>[^/_]+)_(?P<student_id>\d+)_[^/]*"
    file = rf"(/[^/]*)?(?P<file_id>{NOTEBOOK})[^/]*"
    c.FileNameCollectorPlugin.named_regexp = person + file

    if "autograde" in sys.argv:
        os.environ.update(QUIET_AND_SMALL)
        path = os.environ.get("ISING_DATA")
        if path is None:
            say_once("ISING_DATA is not set: every submission makes its own data, which is slow.")
        elif not os.path.isfile(path):
            sys.exit(f"ISING_DATA names {path or 'nothing'}, which is no file: name the data file.")
    reason = why_no_fence()
    if reason is None:
        make_fence(c)
    elif {"autograde", "generate_assignment"} & set(sys.argv):
        say_once(f"No fence, submissions run with your rights: {reason}.")


def say_once(line):
    """Print a line, though nbgrader reads this file more than once."""
    said = os.environ.get("NBGRADER_SAID", "")
    if line not in said:
        print(line, flush=True)
        os.environ["NBGRADER_SAID"] = said + line


def reasons_of(student):
    """Return why the score of a student is not complete: a list of lines."""
    submitted = Path("submitted", student, ASSIGNMENT)
    graded = Path("autograded", student, ASSIGNMENT, f"{NOTEBOOK}.ipynb")
    if not graded.exists():
        files = sorted(path.name for path in submitted.glob("*.ipynb"))
        if f"{NOTEBOOK}.ipynb" not in files and len(files) != 1:
            return [f"no {NOTEBOOK}.ipynb, but {', '.join(files) or 'no notebook'}"]
        log = Path(f"{student}.log")
        if not log.exists():
            return ["not graded yet"]
        text = log.read_text(encoding="utf-8")
        errors = re.findall(r"^ *([\w.]+(?:Error|Exception): .*)$", text, re.M)
        return [f"not graded: {errors[-1] if errors else f'see {log}'}"]
    reasons = []
    cells = {
        cell.metadata.nbgrader.grade_id: cell
        for cell in nbformat.read(graded, as_version=4).cells
        if "nbgrader" in cell.metadata
    }
    with Gradebook(GRADEBOOK) as gradebook:
        notebook = gradebook.find_submission_notebook(NOTEBOOK, ASSIGNMENT, student)
        for grade in notebook.grades:
            number = grade.name.split("_")[1]
            if grade.needs_manual_grade:
                reasons.append(f"Task {number}: to be graded by hand")
            elif grade.score < grade.max_score:
                answer = cells.get(f"task_{number}_answer")
                reasons.append(f"Task {number}: {why_less(grade, answer, cells[grade.name])}")
    return reasons


def why_less(grade, answer, check):
    """Return why a task has less than all points, in a line."""
    if grade.manual_score is not None:
        return f"{grade.score:g} of {grade.max_score:g} points by hand"
    if answer is check:
        return "no answer"
    for output in answer.outputs if answer else []:
        if output.output_type == "error" and output.ename != "Stop":
            return f"its cell stops with {output.ename}: {output.evalue}".split("\n")[0]
    return what_is_said_by(check)


def what_is_said_by(check):
    """Return what the outputs of a graded check say, in a line."""
    for output in check.get("outputs", []):
        if output.output_type == "error":
            return output.evalue.split("\n")[0] or output.ename
        if output.get("name") == "stderr":
            return f"written to stderr: {output.text.splitlines()[0]}"
    return "less than all points"


def report():
    """Print everybody whose score is not complete, with the reason."""
    with Gradebook(GRADEBOOK) as gradebook:
        folders = Path("submitted").iterdir()
        for folder in sorted(folders, key=lambda folder: (len(folder.name), folder.name)):
            student = folder.name
            try:
                score = gradebook.find_submission(ASSIGNMENT, student).score
            except MissingEntry:
                score = 0
            for reason in reasons_of(student):
                print(f"{student}: {score:g} points; {reason}")


if __name__ == "__main__":
    report()
else:
    configure(get_config())
