"""A class on JupyterHub, tried for real: `sudo .venv/bin/python tests/hub_trial.py [notebook]`, as root, on Linux.

Makes five accounts, an exchange and a hub on the loopback interface, and takes them away at the end. Four students log
in, fetch, run the solution at once, submit; the instructor grades; they fetch their feedback. Prints what it costs.
Needs jupyterhub, and configurable-http-proxy on the PATH. ISING_DATA is passed on to the students.
"""

import json
import os
import secrets
import shutil
import socket
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
SOLUTION = Path(
    sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "solution_12_3_cam.ipynb"
)
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


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def memory(pid):
    """Return a process's private memory in MiB, and its share of all: what it shares is divided among those who do."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    size = {name: int(kib) / 2**10 for name, kib, *_ in map(str.split, lines)}
    return size["Private_Clean:"] + size["Private_Dirty:"], size["Pss:"]


class Account:
    """Somebody at a browser: logs in to the hub, gets a server, uses its files and a kernel."""

    def __init__(self, url, name, password):
        self.web, self.url = requests.Session(), f"{url}/user/{name}"
        self.web.get(f"{url}/hub/login")
        form = {
            "username": name,
            "password": password,
            "_xsrf": self.web.cookies.get("_xsrf", path="/hub/"),
        }
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
        token = {
            "X-XSRFToken": self.web.cookies.get(
                "_xsrf", path=f"{self.url[self.url.index('/user') :]}/"
            )
        }
        answer = self.web.request(method, f"{self.url}/api/{path}", json=body, headers=token)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:200]}"
        return answer.json() if answer.text else None

    def run(self, code):
        """Execute code in the kernel, through the hub's proxy; return what it prints."""
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "session": "trial",
            "username": "",
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        self.socket.send(
            json.dumps(
                {
                    "header": header,
                    "parent_header": {},
                    "metadata": {},
                    "content": content,
                    "channel": "shell",
                }
            )
        )
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
        line = f"import subprocess as s; d = s.run({['nbgrader', *command]}, text=True, stdout=-1, stderr=-2); assert not d.returncode, d.stdout"
        return self.run(line)

    def work(self):
        """Fill in the exercise and run it; return the kernel's peak memory, wall and processor seconds."""
        notebook = nbformat.from_dict(self.api("get", f"contents/cam/{NAME}")["content"])
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("solution"):
                cell.source = SOLVED[cell.id]
        self.api("put", f"contents/cam/{NAME}", {"type": "notebook", "content": notebook})
        begin = time.perf_counter()
        for cell in notebook.cells:
            if cell.cell_type == "code":
                self.run(cell.source)
        wall = time.perf_counter() - begin
        peak, cpu = self.run(
            "import time; print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], time.process_time())"
        ).split()
        return int(peak) / 2**10, wall, float(cpu)


def trial(folder, password):
    port, course = free_port(), folder / "home" / TEACHER / "cam"
    environment = {"JUPYTER_CONFIG_PATH": str(folder)} | {
        k: v for k, v in os.environ.items() if k == "ISING_DATA"
    }
    (folder / "jupyterhub_config.py").write_text(
        HUB.format(
            port=port,
            hub_port=free_port(),
            api_port=free_port(),
            users={TEACHER, *STUDENTS},
            prefix=sys.prefix,
            environment=environment,
        )
    )
    (folder / "nbgrader_config.py").write_text(NBGRADER.format(folder=folder))
    (folder / "exchange").mkdir()
    (folder / "exchange").chmod(0o777)
    path = f"{sys.prefix}/bin:{os.environ['PATH']}"
    with open(folder / "hub.log", "w") as log:
        hub = subprocess.Popen(
            [f"{sys.prefix}/bin/jupyterhub"],
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        while hub.poll() is None:
            try:
                if requests.get(f"{url}/hub/health", timeout=5).ok:
                    break
            except requests.ConnectionError:
                time.sleep(0.5)
        assert hub.poll() is None, "the hub does not start: is configurable-http-proxy on the PATH?"
        teacher = Account(url, TEACHER, password)
        teacher.run("import os; os.makedirs('cam/source/cam'); os.chdir('cam')")
        teacher.api(
            "put",
            f"contents/cam/source/cam/{NAME}",
            {"type": "notebook", "content": nbformat.read(SOLUTION, as_version=4)},
        )
        teacher.nbgrader("generate_assignment", "cam", "--create")
        teacher.nbgrader("release_assignment", "cam")
        with ThreadPoolExecutor() as pool:
            begin = time.perf_counter()
            students = list(pool.map(lambda name: Account(url, name, password), STUDENTS))
            list(
                pool.map(lambda s: s.nbgrader("fetch_assignment", "cam", "--course=cam"), students)
            )
            print(f"log in and fetch, all at once: {time.perf_counter() - begin:.0f} s")
            for name, (peak, wall, cpu) in zip(STUDENTS, pool.map(Account.work, students)):
                print(
                    f"{name}: notebook {wall:.0f} s, kernel {cpu:.0f} s processor, peak {peak:.0f} MiB"
                )
            list(pool.map(lambda s: s.nbgrader("submit", "cam", "--course=cam"), students))
        print(
            "memory now, in MiB: private, and with the share of what several processes have in common"
        )
        for line in subprocess.run(
            ["ps", "-eo", "pid=,args="], capture_output=True, text=True
        ).stdout.splitlines():
            pid, command = line.split(maxsplit=1)
            for name in (
                "ipykernel_launcher",
                "jupyterhub-singleuser",
                "configurable-http-proxy",
                "bin/jupyterhub",
            ):
                if f"{name} " in f"{command} ":
                    print("  {}: {:.0f}, {:.0f}".format(name, *memory(pid)))
                    break
        teacher.nbgrader("collect", "cam")
        begin = time.perf_counter()
        teacher.nbgrader("autograde", "cam", "--ExecutePreprocessor.timeout=600")
        print(f"autograde, one after another: {time.perf_counter() - begin:.0f} s")
        teacher.nbgrader("generate_feedback", "cam")
        teacher.nbgrader("release_feedback", "cam")
        for student in students:
            student.nbgrader("fetch_feedback", "cam", "--course=cam")
            print(
                student.run(
                    "import glob; print('feedback:', *glob.glob('cam/feedback/*/*.html'))"
                ).strip()
            )
        print(
            teacher.run(
                "import sqlite3; print('points:', *sqlite3.connect('gradebook.db').execute("
                "'select sum(auto_score) from grade group by notebook_id'))"
            )
        )
    except BaseException:
        print((folder / "hub.log").read_text()[-5000:])
        raise
    finally:
        hub.terminate()
        hub.wait()


if os.geteuid():
    sys.exit("This makes accounts for the trial: run it as root.")
SOLVED = {cell.id: cell.source for cell in nbformat.read(SOLUTION, as_version=4).cells}
folder, password = Path(tempfile.mkdtemp(prefix="hub-")), secrets.token_urlsafe()
folder.chmod(0o755)
made = []
try:
    (folder / "home").mkdir()
    for name in (TEACHER, *STUDENTS):
        subprocess.run(["useradd", "-m", "-d", folder / "home" / name, name], check=True)
        made.append(name)
        subprocess.run(["chpasswd"], input=f"{name}:{password}", text=True, check=True)
    trial(folder, password)
finally:
    for name in made:
        subprocess.run(["userdel", name], check=True)
    shutil.rmtree(folder)
