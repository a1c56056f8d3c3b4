"""A class on JupyterHub, tried for real: `sudo .venv/bin/python tests/tools/hub_trial.py`.

As root, on Linux. It makes five accounts, an exchange and a hub on the loopback interface, and
takes them away at the end, also when it is interrupted. Four students log in, fetch, run the
solution at once, submit; the instructor grades; they fetch their feedback. It prints what that
costs. It needs jupyterhub, configurable-http-proxy on the PATH, and a Python that every account
can read. ISING_DATA is passed on to the students.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import requests
import websocket

TEACHER, *STUDENTS = [f"cam-trial-{i}" for i in range(5)]
SOLUTION = Path(__file__).parents[2] / "solution_12_3_cam.ipynb"
NAME = "exercise_12_3_cam.ipynb"
HUB = """
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.Authenticator.allowed_users = {users}
c.PAMAuthenticator.open_sessions = False
c.Spawner.cmd = ["{prefix}/bin/jupyterhub-singleuser"]
c.Spawner.environment = {environment}
"""
NBGRADER = """
c = get_config()
c.CourseDirectory.course_id = "cam"
c.Exchange.root = "{folder}/exchange"
"""
PROGRAMS = ("ipykernel_launcher", "jupyterhub-singleuser", "configurable-http-proxy")
RUN = "import subprocess as s; d = s.run({}, text=True, stdout=-1, stderr=-2); "
RUN += "assert not d.returncode, d.stdout"
PEAK = """
import time
status = open('/proc/self/status').read()
print(status.split('VmHWM:')[1].split()[0], time.process_time())
"""
POINTS = """
import sqlite3
query = 'select sum(auto_score) from grade group by notebook_id'
print('points:', *sqlite3.connect('gradebook.db').execute(query))
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def memory(pid):
    """Return a process's private memory in MiB, and its share of all that it uses.

    What it has in common with others is divided among those who have it.
    """
    size = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, kib, *_ = line.split()
        size[name] = int(kib) / 2**10
    return size["Private_Clean:"] + size["Private_Dirty:"], size["Pss:"]


class Account:
    """Somebody at a browser: logs in to the hub, gets a server, uses its files and a kernel."""

    def __init__(self, url, name, password):
        self.web, self.url = requests.Session(), f"{url}/user/{name}"
        self.web.get(f"{url}/hub/login")
        token = self.web.cookies.get("_xsrf", path="/hub/")
        form = {"username": name, "password": password, "_xsrf": token}
        answer = self.web.post(f"{url}/hub/login?next=/hub/spawn/{name}", data=form)
        while "/hub/" in answer.url:  # the page that waits for the server
            assert answer.ok, f"{answer.status_code} at {answer.url}"
            time.sleep(1)
            answer = self.web.get(f"{self.url}/lab")
        self.kernel = self.api("post", "kernels", {"name": "python3"})["id"]
        self.connect()

    def connect(self):
        """Open the kernel's channel; the server closes one that nobody reads for a minute."""
        cookies = self.web.get(f"{self.url}/api").request.headers["Cookie"]
        address = f"{self.url}/api/kernels/{self.kernel}/channels".replace("http", "ws", 1)
        self.socket = websocket.create_connection(address, cookie=cookies, timeout=900)

    def api(self, method, path, body=None):
        own_path = f"{self.url[self.url.index('/user') :]}/"
        token = {"X-XSRFToken": self.web.cookies.get("_xsrf", path=own_path)}
        answer = self.web.request(method, f"{self.url}/api/{path}", json=body, headers=token)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:200]}"
        return answer.json() if answer.text else None

    def run(self, code):
        """Execute code in the kernel, through the hub's proxy; return what it prints."""
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": "trial"}
        header |= {"username": "", "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        self.socket.send(json.dumps({**message, "channel": "shell"}))
        text = ""
        while True:
            frame = self.socket.recv()
            if isinstance(frame, bytes):  # a message with buffers: the widget's picture
                continue
            message = json.loads(frame)
            if message["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            content = message["content"]
            assert message["msg_type"] != "error", f"{content.get('evalue')} in {code[:80]}"
            text += content["text"] if message["msg_type"] == "stream" else ""
            if content.get("execution_state") == "idle":
                return text

    def nbgrader(self, *command):
        self.connect()
        return self.run(RUN.format(["nbgrader", *command]))

    def work(self):
        """Fill in the exercise and run it; return peak memory, wall and processor seconds."""
        solved = nbformat.read(SOLUTION, as_version=4).cells
        sources = {cell.id: cell.source for cell in solved}
        content = self.api("get", f"contents/cam/{NAME}")["content"]
        notebook = nbformat.from_dict(content)
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("solution"):
                cell.source = sources[cell.id]
        self.api("put", f"contents/cam/{NAME}", {"type": "notebook", "content": notebook})
        begin = time.perf_counter()
        for cell in notebook.cells:
            if cell.cell_type == "code":
                self.run(cell.source)
        wall = time.perf_counter() - begin
        peak, processor = self.run(PEAK).split()
        return int(peak) / 2**10, wall, float(processor)


def print_memory():
    """Print what each process of the class uses now."""
    print("memory now, in MiB: private, and with the share of what several have in common")
    processes = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True)
    for line in processes.stdout.splitlines():
        pid, command = line.split(maxsplit=1)
        for name in (*PROGRAMS, "bin/jupyterhub"):
            if f"{name} " in f"{command} ":
                print("  {}: {:.0f}, {:.0f}".format(name, *memory(pid)))
                break


def release(teacher):
    teacher.run("import os; os.makedirs('cam/source/cam'); os.chdir('cam')")
    source = nbformat.read(SOLUTION, as_version=4)
    teacher.api("put", f"contents/cam/source/cam/{NAME}", {"type": "notebook", "content": source})
    teacher.nbgrader("generate_assignment", "cam", "--create")
    teacher.nbgrader("release_assignment", "cam")


def class_of(url, password):
    """Let all students log in, fetch, work and submit at once; return them."""
    with ThreadPoolExecutor() as pool:
        begin = time.perf_counter()
        students = list(pool.map(lambda name: Account(url, name, password), STUDENTS))
        fetch = ("fetch_assignment", "cam", "--course=cam")
        list(pool.map(lambda student: student.nbgrader(*fetch), students))
        print(f"log in and fetch, all at once: {time.perf_counter() - begin:.0f} s")
        for name, work in zip(STUDENTS, pool.map(Account.work, students)):
            peak, wall, processor = work
            times = f"notebook {wall:.0f} s, kernel {processor:.0f} s processor"
            print(f"{name}: {times}, peak {peak:.0f} MiB")
        submit = ("submit", "cam", "--course=cam")
        list(pool.map(lambda student: student.nbgrader(*submit), students))
    return students


def grade(teacher, students):
    teacher.nbgrader("collect", "cam")
    begin = time.perf_counter()
    teacher.nbgrader("autograde", "cam", "--ExecutePreprocessor.timeout=600")
    print(f"autograde, one after another: {time.perf_counter() - begin:.0f} s")
    teacher.nbgrader("generate_feedback", "cam")
    teacher.nbgrader("release_feedback", "cam")
    for student in students:
        student.nbgrader("fetch_feedback", "cam", "--course=cam")
        pages = "import glob; print('feedback:', *glob.glob('cam/feedback/*/*.html'))"
        print(student.run(pages).strip())
    print(teacher.run(POINTS))


def trial(folder, password):
    """Start the hub in a folder and let the class work."""
    port = free_port()
    environment = {"JUPYTER_CONFIG_PATH": str(folder)}
    if "ISING_DATA" in os.environ:
        environment["ISING_DATA"] = os.environ["ISING_DATA"]
    ports = {"port": port, "hub_port": free_port(), "api_port": free_port()}
    own = {"users": {TEACHER, *STUDENTS}, "prefix": sys.prefix, "environment": environment}
    (folder / "jupyterhub_config.py").write_text(HUB.format(**ports, **own))
    (folder / "nbgrader_config.py").write_text(NBGRADER.format(folder=folder))
    (folder / "exchange").mkdir()
    (folder / "exchange").chmod(0o777)
    path = {"PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"}
    command = [f"{sys.prefix}/bin/jupyterhub"]
    with open(folder / "hub.log", "w") as log:
        hub = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **path}, stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}"
        while hub.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{url}/hub/health", timeout=5).ok:
                    break
            time.sleep(0.5)
        if hub.poll() is not None:
            raise RuntimeError("the hub does not start: is configurable-http-proxy on the PATH?")
        teacher = Account(url, TEACHER, password)
        release(teacher)
        students = class_of(url, password)
        print_memory()
        grade(teacher, students)
    except BaseException:
        print((folder / "hub.log").read_text()[-5000:])
        raise
    finally:
        hub.terminate()
        hub.wait()


def unreadable():
    """Return a folder on the way to this Python that not every account may enter, or None."""
    for root in (sys.prefix, sys.base_prefix, SOLUTION.parent):
        for folder in (Path(root), *Path(root).parents):
            if not folder.stat().st_mode & stat.S_IXOTH:
                return folder
    return None


@contextlib.contextmanager
def accounts(folder, password):
    """Make the accounts with homes in a folder, and take them and their processes away again."""
    made = []
    try:
        (folder / "home").mkdir()
        for name in (TEACHER, *STUDENTS):
            made.append(name)
            subprocess.run(["useradd", "-m", "-d", folder / "home" / name, name], check=True)
            subprocess.run(["chpasswd"], input=f"{name}:{password}", text=True, check=True)
        yield
    finally:
        for name in made:
            subprocess.run(["pkill", "-KILL", "-u", name], stderr=subprocess.DEVNULL)
            subprocess.run(["userdel", "-f", name], stderr=subprocess.DEVNULL)


def main():
    if os.geteuid():
        sys.exit("This makes accounts for the trial: run it as root.")
    if unreadable():
        sys.exit(f"{unreadable()} is closed to other accounts: use a Python that all can read.")
    if not shutil.which("configurable-http-proxy"):
        sys.exit("configurable-http-proxy is missing: npm install -g configurable-http-proxy.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that this ends as Ctrl+C does
    with tempfile.TemporaryDirectory(prefix="hub-") as name:
        folder, password = Path(name), secrets.token_urlsafe()
        folder.chmod(0o755)
        with accounts(folder, password):
            trial(folder, password)


if __name__ == "__main__":
    main()
