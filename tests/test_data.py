"""Data never fails a class: the loader against real servers on the loopback interface, through the real gdown.

The data sets here are small (26,000 lattices would only take longer), the code is the notebook's.
"""

import contextlib
import io
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import trustme
from conftest import REPO, load_cells

N = 160  # lattices of a small data set
SMALL = {"N_TRAIN": 100, "TEMPERATURES": np.array([2.0, 2.2, 2.3, 2.5]), "N_PER_TEMPERATURE": N // 4, "PATIENCE": 2}
HTML = b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>Sorry</body></html>"


class Touch:
    """A pickled object that leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return open, ("unpickled", "w")


def npz(compress=False, **arrays):
    """Return the bytes of an npz file: a good data set, with some of its arrays replaced or, if None, left out."""
    rng = np.random.default_rng(0)
    good = {"C": rng.choice([-1.0, 1.0], size=(N, 32, 32)), "T": np.repeat([2.0, 2.2, 2.3, 2.5], N // 4)}
    file = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(file, **{k: v for k, v in {**good, **arrays}.items() if v is not None})
    return file.getvalue()


GOOD = npz()
REFUSAL = {"status": 404, "body": HTML}
spins = np.load(io.BytesIO(GOOD))["C"]
BAD = {  # content of a bad file, and the words that name its fault
    "empty": (b"", "empty"),
    "web page": (HTML, "web page"),
    "cut off": (GOOD[: len(GOOD) // 2], "cannot be read whole"),
    "damaged": (npz(compress=True)[:-3000] + bytes(1000) + npz(compress=True)[-2000:], "cannot be read whole"),
    "random bytes": (np.random.default_rng(1).bytes(5000), "not an npz"),
    "another format": (b"\x93NUMPY" + bytes(500), "not an npz"),
    "wrong keys": (npz(C=None, T=None, spins=spins), "'C' and 'T'"),
    "no temperatures": (npz(T=None), "'C' and 'T'"),
    "wrong shape": (npz(C=spins[:, :16]), "shape (160, 16, 32)"),
    "one temperature missing": (npz(T=np.full(N - 1, 2.0)), "one temperature for each"),
    "too few": (npz(C=spins[:50], T=np.full(50, 2.0)), "50 lattices"),
    "three spin values": (npz(C=spins * np.r_[0, np.ones(31)]), "spins other than"),
    "one value": (npz(C=np.ones_like(spins)), "spins other than"),
    "NaN spins": (npz(C=np.where(spins > 0, spins, np.nan)), "spins other than"),
    "letters": (npz(C=np.where(spins > 0, "u", "d")), "type <U1"),
    "pickled object": (npz(C=np.array([Touch()], dtype=object)), "cannot be read whole"),
    "pickled temperatures": (npz(T=np.array([Touch()] * N, dtype=object)), "cannot be read whole"),
    "NaN temperatures": (npz(T=np.full(N, np.nan)), "temperatures"),
    "negative temperatures": (npz(T=np.full(N, -1.0)), "temperatures"),
}


class Server(ThreadingHTTPServer):
    """Answers every request with (status, body, number of bytes announced, seconds of silence after the body)."""

    daemon_threads = True

    def __init__(self, status=200, body=GOOD, length=None, silence=0.0, tls=None, clients=1):
        self.answer, self.tls, self.hits = (status, body, len(body) if length is None else length, silence), tls, 0
        self.meeting = threading.Barrier(clients, timeout=30)  # no answer before so many clients are there
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/ising.npz"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # clients that hang up are what this is about


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.hits += 1
        self.server.meeting.wait()
        status, body, length, silence = self.server.answer
        self.send_response(status)
        html = body[:1] == b"<"
        self.send_header("Content-Type", "text/html" if html else "application/octet-stream")
        if not html:
            self.send_header("Content-Disposition", 'attachment; filename="ising.npz"')
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        time.sleep(silence)
        self.close_connection = True

    def do_CONNECT(self):
        """Be a proxy that answers for https://drive.google.com itself, with a certificate that the test trusts."""
        self.send_response(200)
        self.end_headers()
        self.request = self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.setup()
        self.handle_one_request()

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    """A function that starts a server; all are closed after the test."""
    with contextlib.ExitStack() as stack:

        def start_server(**answer):
            server = Server(**answer)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return server

        yield start_server


@pytest.fixture(scope="session")
def gdown_5_2(tmp_path_factory):
    """A folder with gdown 5.2, the version that Colab has carried."""
    folder = tmp_path_factory.mktemp("gdown")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), "gdown==5.2.0"]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"gdown 5.2 cannot be installed: {done.stderr.strip()[-200:]}")
    return folder


@pytest.fixture(params=["installed", "5.2"])
def loader(request, monkeypatch, tmp_path):
    """The notebook's loader in an empty folder, with the gdown that is installed and with 5.2, for small data sets."""
    if request.param == "5.2":
        for name in [name for name in sys.modules if name.split(".")[0] == "gdown"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.syspath_prepend(request.getfixturevalue("gdown_5_2"))
    monkeypatch.delenv("ISING_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    namespace = load_cells("simulate", "load")
    assert namespace["PATIENCE"] == 30
    namespace.update(SMALL)
    assert request.param == "installed" or namespace["gdown"].__version__.startswith("5.2.")
    yield namespace
    for name in [name for name in sys.modules if name.split(".")[0] == "gdown"]:
        del sys.modules[name]  # so that monkeypatch restores the version that was there


def is_data(data):
    """True for a whole data set as the notebook uses it."""
    C, T = data
    return C.shape == (N, 32, 32) and C.dtype == np.int8 and set(np.unique(C)) == {-1, 1} and T.shape == (N,) and T.dtype == float


def files(folder="."):
    return sorted(os.listdir(folder))


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


FAILURES = {  # what the server does, and the words of the message
    **{f"status {code}": ({"status": code, "body": HTML}, None) for code in (403, 404, 500)},
    "silence after the headers": ({"body": b"", "length": len(GOOD), "silence": 8}, "said nothing for 2 s"),
    "silence halfway": ({"body": GOOD[:9999], "length": len(GOOD), "silence": 8}, "said nothing for 2 s"),
    "hung up halfway": ({"body": GOOD[:99999], "length": len(GOOD)}, None),
    **{name: ({"body": body}, fault) for name, (body, fault) in BAD.items()},
}


@pytest.mark.parametrize("failure", FAILURES)
def test_server_fails(loader, serve, capsys, failure):
    answer, words = FAILURES[failure]
    server = serve(**answer)
    assert is_data(loader["load_ising_data"](url=server.url))
    out = capsys.readouterr()
    line = next(line for line in out.out.splitlines() if "Download failed" in line)
    assert (words or "") in line and "ising_data.npz" in line and len(line) < 300
    assert files() == ["ising_simulated.npz"] and server.hits == 1
    assert not out.err

    # The next call tries the download again and then takes the file, without a new simulation.
    loader["simulate_ising"] = None
    assert is_data(loader["load_ising_data"](url=f"http://127.0.0.1:{closed_port()}/"))
    assert "Using ising_simulated.npz" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["http://no.such.host.invalid/x", "refused"])
def test_no_connection(loader, capsys, url):
    url = f"http://127.0.0.1:{closed_port()}/x" if url == "refused" else url
    assert is_data(loader["load_ising_data"](url=url))
    assert "no connection to" in capsys.readouterr().out
    assert files() == ["ising_simulated.npz"]


KINDS = {
    "-1/+1 float": npz(),
    "-1/+1 int8": npz(C=spins.astype(np.int8)),
    "0/1 float": npz(C=(spins + 1) / 2),
    "0/1 uint8, integer T": npz(C=(spins > 0).astype(np.uint8), T=np.repeat([1, 2, 3, 4], N // 4)),
    "bool, float32 T, compressed": npz(True, C=spins > 0, T=np.full(N, 2, np.float32)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_good_server(loader, serve, capsys, kind):
    server = serve(body=KINDS[kind])
    data = loader["load_ising_data"](url=server.url)
    assert is_data(data) and (data[0] == spins).all()
    assert files() == ["ising_data.npz"] and Path("ising_data.npz").read_bytes() == KINDS[kind]
    assert "book's data" in capsys.readouterr().out
    again = loader["load_ising_data"](url=server.url)
    assert server.hits == 1 and (again[0] == data[0]).all() and (again[1] == data[1]).all()


@pytest.mark.parametrize("body, words", [(GOOD, "book's data"), (HTML, "Google Drive does not hand the file out")])
def test_the_link_of_the_book(loader, serve, capsys, monkeypatch, tmp_path_factory, body, words):
    """The default URL, through a proxy on the loopback interface that stands in for Google Drive."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("drive.google.com").configure_cert(tls)
    bundle = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    proxy = serve(body=body, tls=tls)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    assert is_data(loader["load_ising_data"]())
    assert words in capsys.readouterr().out and proxy.hits >= 1


@pytest.mark.parametrize("loader", ["installed"], indirect=True)
@pytest.mark.parametrize("name", ["ising_data.npz", "ising_simulated.npz"])
@pytest.mark.parametrize("fault", BAD)
def test_bad_file_on_disk_is_set_aside(loader, capsys, name, fault):
    body, words = BAD[fault]
    Path(name).write_bytes(body)
    Path(f"{name}.bad1").write_bytes(b"an older one")
    assert is_data(loader["load_ising_data"](url=f"http://127.0.0.1:{closed_port()}/"))
    line = next(line for line in capsys.readouterr().out.splitlines() if "set aside" in line)
    assert line.startswith(name) and words in line and f"{name}.bad2" in line
    assert files() == sorted(["ising_simulated.npz", f"{name}.bad1", f"{name}.bad2"])  # and nothing was unpickled
    assert Path(f"{name}.bad2").read_bytes() == body and Path(f"{name}.bad1").read_bytes() == b"an older one"


@pytest.mark.parametrize("loader", ["installed"], indirect=True)
@pytest.mark.parametrize("fault", [*BAD, "missing"])
def test_bad_file_named_by_ising_data_is_an_error(loader, serve, monkeypatch, tmp_path_factory, fault):
    path, (body, words) = tmp_path_factory.mktemp("shared") / "class.npz", BAD.get(fault, (None, "not a file"))
    if body is not None:
        path.write_bytes(body)
    monkeypatch.setenv("ISING_DATA", str(path))
    with pytest.raises(FileNotFoundError if fault == "missing" else ValueError) as error:
        loader["load_ising_data"](url=serve().url)
    assert str(path) in str(error.value) and words in str(error.value) and "\n" not in str(error.value)
    assert "unset" in str(error.value)  # the way out
    assert files() == [] and files(path.parent) == ([] if fault == "missing" else ["class.npz"])


@pytest.mark.parametrize("loader", ["installed"], indirect=True)
def test_the_order_of_the_sources(loader, serve, monkeypatch, tmp_path_factory, capsys):
    server, shared = serve(), tmp_path_factory.mktemp("shared") / "class.npz"
    T = {name: np.full(N, T) for name, T in (("shared", 1.0), ("data", 2.0), ("simulated", 3.0))}
    shared.write_bytes(npz(T=T["shared"]))
    for name in ("data", "simulated"):
        Path(f"ising_{name}.npz").write_bytes(npz(T=T[name]))

    def used():
        return loader["load_ising_data"](url=server.url)[1].mean()

    monkeypatch.setenv("ISING_DATA", str(shared))
    assert used() == 1 and files(shared.parent) == ["class.npz"]
    monkeypatch.delenv("ISING_DATA")
    assert used() == 2 and server.hits == 0
    os.remove("ising_data.npz")
    assert used() == np.load(io.BytesIO(GOOD))["T"].mean() and server.hits == 1
    os.remove("ising_data.npz")
    server.answer = (REFUSAL["status"], REFUSAL["body"], len(HTML), 0)
    assert used() == 3


DRIVER = """
import sys
sys.path.insert(0, {tests!r})
import numpy as np
from conftest import load_cells
loader = load_cells("simulate", "load")
loader.update(N_TRAIN={N_TRAIN}, TEMPERATURES=np.array([2.0, 2.2, 2.3, 2.5]), N_PER_TEMPERATURE={N_PER_TEMPERATURE}, PATIENCE={PATIENCE})
print("ready", flush=True)
C, T = loader["load_ising_data"](url={url!r})
print("RESULT", len(C), len(T), sorted(set(np.unique(C).tolist())))
"""


def start(folder, url, before=(), **changes):
    """Start the loader in a process of its own."""
    code = DRIVER.format(tests=str(REPO / "tests"), url=url, **{**SMALL, **changes})
    environment = {k: v for k, v in os.environ.items() if k != "ISING_DATA"} | {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen([*before, sys.executable, "-u", "-c", code], cwd=folder, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


RESULT = f"RESULT {N} {N} [-1, 1]"


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_interrupt_in_mid_download(serve, tmp_path):
    server = serve(body=GOOD[: len(GOOD) // 2], length=len(GOOD), silence=60)
    process = start(tmp_path, server.url, PATIENCE=60)
    wait_for(lambda: server.hits)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out = process.communicate(timeout=60)[0]
    assert "you interrupted it" in out and RESULT in out
    assert files(tmp_path) == ["ising_simulated.npz"]


def test_interrupt_in_mid_simulation(tmp_path):
    process = start(tmp_path, f"http://127.0.0.1:{closed_port()}/", N_PER_TEMPERATURE=5000)
    for line in process.stdout:
        if "Simulating" in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out = process.communicate(timeout=60)[0]
    assert "KeyboardInterrupt" in out and "RESULT" not in out
    assert files(tmp_path) == []


def test_full_disk(serve, tmp_path):
    before = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh"]  # no file beyond a few kB
    out = start(tmp_path, serve().url, before=before).communicate(timeout=60)[0]
    assert "Download failed" in out and "File too large" in out and "used from memory" in out and RESULT in out
    assert files(tmp_path) == []


# Root may read and write everything, so it first gives up the capability to override permissions.
OBEYING = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"] if os.geteuid() == 0 else []


@pytest.mark.parametrize("name", ["ising_data.npz", "ising_simulated.npz"])
def test_file_that_cannot_be_read_is_left_alone(serve, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"somebody's")
    path.chmod(0)
    out = start(tmp_path, serve(**({} if "data" in name else REFUSAL)).url, before=OBEYING).communicate(timeout=60)[0]
    assert f"{name} cannot be opened (Permission denied)" in out and "used from memory" in out and RESULT in out
    assert files(tmp_path) == [name] and path.read_bytes() == b"somebody's"


@pytest.mark.parametrize("works", [True, False])
def test_read_only_folder(serve, tmp_path, works):
    tmp_path.chmod(0o555)
    try:
        out = start(tmp_path, serve(**({} if works else REFUSAL)).url, before=OBEYING).communicate(timeout=60)[0]
    finally:
        tmp_path.chmod(0o755)
    assert "used from memory" in out and RESULT in out
    assert files(tmp_path) == []


@pytest.mark.parametrize("works", [True, False])
def test_two_loaders_at_once(serve, tmp_path, works):
    server = serve(clients=2, **({} if works else REFUSAL))
    processes = [start(tmp_path, server.url) for _ in range(2)]
    outs = [process.communicate(timeout=90)[0] for process in processes]
    assert server.hits == 2 and all(RESULT in out for out in outs)
    assert files(tmp_path) == ["ising_data.npz" if works else "ising_simulated.npz"]
    with np.load(tmp_path / files(tmp_path)[0]) as file:
        assert file["C"].shape == (N, 32, 32) and file["T"].shape == (N,)


def skip_unless(before):
    """Skip a test where the system has no namespaces, or lets nobody make them."""
    if not shutil.which(before[0]) or subprocess.run([*before, "true"], capture_output=True).returncode:
        pytest.skip("no namespaces here")


def test_no_route(tmp_path):
    """The real link from a network namespace in which nothing is up."""
    before = ["unshare", "--user", "--map-root-user", "--net"]
    skip_unless(before)
    out = start(tmp_path, load_cells("simulate", "load")["DATA_URL"], before=before).communicate(timeout=60)[0]
    assert "no connection to drive.google.com" in out and RESULT in out


def test_full_file_system(tmp_path):
    """A folder on a tiny tmpfs, in a mount namespace: the simulated lattices do not fit."""
    before = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
              f'mount -t tmpfs -o size=8k tmpfs "{tmp_path}" && cd "{tmp_path}" && exec "$@"; exit 9', "sh"]
    skip_unless(before)
    out = start(tmp_path, f"http://127.0.0.1:{closed_port()}/", before=before).communicate(timeout=60)[0]
    assert "No space left on device" in out and "used from memory" in out and RESULT in out
