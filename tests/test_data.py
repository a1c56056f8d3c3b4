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
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import trustme
from conftest import SOLUTION, code_cells, load_cells

OLD = tuple(map(int, version("gdown").split(".")[:2])) < (
    6,
    3,
)  # the installed one, which has no limit of time
N = 160  # lattices of a small data set
SMALL = {
    "N_TRAIN": 100,
    "TEMPERATURES": np.array([2.0, 2.2, 2.3, 2.5]),
    "N_PER_TEMPERATURE": N // 4,
    "PATIENCE": 1,
}
T_C = 2 / np.log(1 + np.sqrt(2))
HTML = b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>Sorry</body></html>"


class Touch:
    """A pickled object that leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return open, ("unpickled", "w")


rng = np.random.default_rng(0)
spins = rng.choice([-1.0, 1.0], size=(N, 32, 32))
T = rng.permutation(np.repeat(SMALL["TEMPERATURES"], N // 4))
is_test = np.arange(N) >= SMALL["N_TRAIN"]


def npz(compress=False, **arrays):
    """Return the bytes of an npz file: a good data set, with some of its arrays replaced or, if None, left out."""
    file, arrays = io.BytesIO(), {"C": spins, "T": T, **arrays}
    (np.savez_compressed if compress else np.savez)(
        file, **{k: v for k, v in arrays.items() if v is not None}
    )
    return file.getvalue()


GOOD = npz()
REFUSAL = {"status": 404, "body": HTML}
BAD = {  # content of a bad file, and the words that name its fault
    "empty": (b"", "empty"),
    "web page": (HTML, "web page"),
    "cut off": (GOOD[: len(GOOD) // 2], "cannot be read"),
    "damaged": (
        npz(compress=True)[:-3000] + bytes(1000) + npz(compress=True)[-2000:],
        "cannot be read",
    ),
    "random bytes": (np.random.default_rng(1).bytes(5000), "not an npz"),
    "another format": (b"\x93NUMPY" + bytes(500), "not an npz"),
    "wrong keys": (npz(C=None, T=None, spins=spins), "C is not a file in the archive"),
    "no temperatures": (npz(T=None), "T is not a file in the archive"),
    "wrong shape": (npz(C=spins[:, :16]), "C (160, 16, 32)"),
    "one lattice": (npz(C=spins[0], T=np.float64(2)), "C (32, 32)"),
    "one temperature missing": (npz(T=T[1:]), "T (159,)"),
    "too few": (npz(C=spins[:100], T=T[:100]), "100 lattices"),
    "three spin values": (npz(C=spins * np.r_[0, np.ones(31)]), "spins C"),
    "one value": (npz(C=np.ones_like(spins)), "spins C"),
    "NaN spins": (npz(C=np.where(spins > 0, spins, np.nan)), "spins C"),
    "letters": (npz(C=np.where(spins > 0, "u", "d")), "spins C"),
    "records": (npz(C=spins.astype([("s", "i1")])), "spins C"),
    "pickled object": (npz(C=np.array([Touch()], dtype=object)), "cannot be read"),
    "pickled temperatures": (npz(T=np.array([Touch()] * N, dtype=object)), "cannot be read"),
    "temperatures in letters": (npz(T=T.astype(str)), "cannot be read"),
    "complex temperatures": (npz(T=T + 0j), "cannot be read"),
    "a NaN temperature": (npz(T=np.r_[np.nan, T[1:]]), "not positive"),
    "an infinite temperature": (npz(T=np.r_[np.inf, T[1:]]), "not positive"),
    "a negative temperature": (npz(T=np.r_[-1, T[1:]]), "not positive"),
    "T = Tc": (npz(T=np.r_[T_C, T[1:]]), "T = Tc"),
    "T = Tc, rounded": (npz(T=np.r_[2.269185, T[1:]]), "T = Tc"),
    "too many temperatures": (
        npz(T=rng.permutation(np.linspace(2.1, 2.4, N))),
        "160 different temperatures",
    ),
    "sorted": (npz(T=np.sort(T)), "sorted by temperature: shuffle"),
    "sorted, falling": (npz(T=np.sort(T)[::-1]), "sorted by temperature: shuffle"),
    "one temperature": (npz(T=np.full(N, 2.2)), "one phase only"),
    "one phase": (npz(T=np.where(T > T_C, 2.1, T)), "one phase only"),
    "one phase to train on": (
        npz(T=np.where((T < T_C) & ~is_test, 2.5, T)),
        "one phase only in its first 100",
    ),
    "none near Tc above": (npz(T=np.where(T == 2.3, 2.5, T)), "within 0.1 of Tc on both sides"),
    "none near Tc below to test on": (
        npz(T=np.where((T == 2.2) & is_test, 2.0, T)),
        "on both sides after its first 100",
    ),
}


class Server(ThreadingHTTPServer):
    """Answers every request with (status, body, number of bytes announced, seconds of silence after the body)."""

    daemon_threads = True

    def __init__(self, status=200, body=GOOD, length=None, silence=0.0, tls=None, clients=1):
        self.answer, self.tls, self.hits = (
            (status, body, len(body) if length is None else length, silence),
            tls,
            0,
        )
        self.meeting = threading.Barrier(
            clients, timeout=30
        )  # no answer before so many clients are there
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/ising.npz"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

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
        self.send_header("Set-Cookie", "visited=yes; Max-Age=999")
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
        self.request = self.connection = self.server.tls.wrap_socket(
            self.connection, server_side=True
        )
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
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--target",
        str(folder),
        "gdown==5.2.0",
    ]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"gdown 5.2 cannot be installed: {done.stderr.strip()[-200:]}")
    return folder


def quick_simulation(temperatures, n_per_temperature, size, seed):
    """Random spins in place of simulated ones; the loaders in processes of their own simulate in earnest."""
    assert (size, seed) == (32, 0)
    return spins.astype(np.int8), rng.permutation(np.repeat(temperatures, n_per_temperature))


ONE_GDOWN = pytest.mark.parametrize("loader", ["installed"], indirect=True)


@pytest.fixture(params=["installed", "5.2"])
def loader(request, monkeypatch, tmp_path):
    """The notebook's loader in an empty folder, with the gdown that is installed and with 5.2, for small data sets."""
    if request.param == "5.2":
        for name in [name for name in sys.modules if name.split(".")[0] == "gdown"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.syspath_prepend(request.getfixturevalue("gdown_5_2"))
    monkeypatch.delenv("ISING_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    namespace = load_cells("load", simulate_ising=quick_simulation)
    assert namespace["PATIENCE"] == 30
    namespace.update(SMALL)
    yield namespace
    assert request.param == "installed" or sys.modules["gdown"].__version__.startswith("5.2.")
    for name in [name for name in sys.modules if name.split(".")[0] == "gdown"]:
        del sys.modules[name]  # so that monkeypatch restores the version that was there


def is_data(data):
    """True for a whole data set as the notebook uses it."""
    C, T = data
    whole = C.shape == (N, 32, 32) and C.dtype == np.int8 and T.shape == (N,) and T.dtype == float
    return whole and set(np.unique(C)) == {-1, 1} and set(T) == set(SMALL["TEMPERATURES"])


def files(folder="."):
    return sorted(os.listdir(folder))


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def assert_simulated(loader, url, words, capsys):
    """Load from a server that fails: one line says why, the data are simulated and kept, and taken the next time."""
    assert is_data(loader["load_ising_data"](url=url))
    out = capsys.readouterr()
    line = next(line for line in out.out.splitlines() if "Download failed" in line)
    assert words in line and "ising_data.npz" in line and len(line) < 300 and "Error" not in line
    assert files() == ["ising_simulated.npz"] and not out.err
    assert out.out.splitlines()[-1] == f"Using simulated data: {N} lattices."
    loader["simulate_ising"] = None
    assert is_data(loader["load_ising_data"](url=f"http://127.0.0.1:{closed_port()}/"))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("Using simulated data") and "ising_simulated.npz" in last


@pytest.mark.parametrize("fault", BAD)
def test_server_sends_a_bad_file(loader, serve, capsys, fault):
    body, words = BAD[fault]
    server = serve(body=body)
    assert_simulated(loader, server.url, words, capsys)
    assert server.hits == 1


@pytest.mark.parametrize("code", [403, 404, 500])
def test_server_refuses(loader, serve, capsys, request, code):
    old = OLD or "5.2" in request.node.name  # which takes an error's page for the file
    assert_simulated(
        loader, serve(status=code, body=HTML).url, "web page" if old else f"answered {code}", capsys
    )


def test_server_hangs_up_halfway(loader, serve, capsys, request):
    words = (
        "no connection, or it broke"
        if OLD or "5.2" in request.node.name
        else "Download is incomplete"
    )
    assert_simulated(loader, serve(body=GOOD[:99999], length=len(GOOD)).url, words, capsys)


@pytest.mark.skipif(OLD, reason="gdown before 6.3 has no limit of time")
@ONE_GDOWN
@pytest.mark.parametrize("sent", [0, 9999])
def test_server_falls_silent(loader, serve, capsys, sent):
    server = serve(body=GOOD[:sent], length=len(GOOD), silence=6)
    assert_simulated(loader, server.url, "nothing was heard for 1 s", capsys)


@pytest.mark.parametrize("url", ["http://no.such.host.invalid/x", "refused"])
def test_no_connection(loader, capsys, url):
    url = f"http://127.0.0.1:{closed_port()}/x" if url == "refused" else url
    assert_simulated(loader, url, "no connection", capsys)


@ONE_GDOWN
def test_no_gdown(loader, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", None)
    assert_simulated(loader, "http://127.0.0.1/", "gdown", capsys)


@ONE_GDOWN
def test_an_error_within_gdown_is_no_second_download(loader, capsys, monkeypatch):
    calls = []

    def fail(url, output, use_cookies, timeout):
        calls.append(timeout)
        raise TypeError("something else")

    monkeypatch.setattr("gdown.download", fail)
    assert_simulated(loader, "http://127.0.0.1/", "something else", capsys)
    assert calls == [1, 1]  # assert_simulated loads twice


KINDS = {
    "-1/+1 float": npz(),
    "-1/+1 int8": npz(C=spins.astype(np.int8)),
    "0/1 float32": npz(C=((spins + 1) / 2).astype(np.float32)),
    "0/1 uint8, rounding of T": npz(
        C=(spins > 0).astype(np.uint8), T=T + rng.choice([0, 4.4e-16, 1e-9], size=N)
    ),
    "bool, float32 T, compressed": npz(True, C=spins > 0, T=T.astype(np.float32)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_good_server(loader, serve, capsys, kind):
    server = serve(body=KINDS[kind])
    data = loader["load_ising_data"](url=server.url)
    out = capsys.readouterr()
    assert is_data(data) and (data[0] == spins).all() and (data[1] == T).all()
    assert files() == ["ising_data.npz"]
    assert out.out.splitlines()[-1] == f"Using the book's data: {N} lattices." and not out.err
    again = loader["load_ising_data"](url=server.url)
    assert server.hits == 1 and (again[0] == data[0]).all() and (again[1] == data[1]).all()
    assert "Using ising_data.npz" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    "body, words", [(GOOD, "book's data"), (HTML, "Google Drive does not hand the file out")]
)
def test_the_link_of_the_book(loader, serve, capsys, monkeypatch, tmp_path_factory, body, words):
    """The default URL, through a proxy on the loopback interface that stands in for Google Drive.

    It sends a cookie, which is not written to the home folder.
    """
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in [name for name in sys.modules if name.split(".")[0] == "gdown"]:
        monkeypatch.delitem(sys.modules, name)  # gdown asks for the home folder when it is imported
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
    assert not list(home.rglob("cookies*"))


@ONE_GDOWN
@pytest.mark.parametrize("name", ["ising_data.npz", "ising_simulated.npz"])
@pytest.mark.parametrize("fault", BAD)
def test_bad_file_on_disk_is_set_aside(loader, capsys, name, fault):
    body, words = BAD[fault]
    for content in (b"an older bad file", body):
        Path(name).write_bytes(content)
        assert is_data(loader["load_ising_data"](url=f"http://127.0.0.1:{closed_port()}/"))
        out = capsys.readouterr()
        if Path("ising_simulated.npz").exists():
            os.remove("ising_simulated.npz")
    why, where = (line for line in out.out.splitlines() if line.startswith(name))
    assert words in why and "set aside as" in where and not out.err
    asides = {path: Path(path).read_bytes() for path in files()}  # and nothing was unpickled
    assert sorted(asides.values()) == sorted([b"an older bad file", body])
    assert all(path.startswith(f"{name}.bad") for path in asides)
    assert Path(where.split()[-1].rstrip(".")).read_bytes() == body


@ONE_GDOWN
@pytest.mark.parametrize("fault", [*BAD, "missing", "folder"])
def test_bad_file_named_by_ising_data_is_an_error(
    loader, serve, monkeypatch, tmp_path_factory, fault
):
    path = tmp_path_factory.mktemp("shared") / "class.npz"
    body, words = BAD.get(
        fault, (None, {"missing": "No such file", "folder": "Is a directory"}.get(fault))
    )
    if fault == "folder":
        path.mkdir()
    elif body is not None:
        path.write_bytes(body)
    before = files(path.parent)
    monkeypatch.setenv("ISING_DATA", str(path))
    with pytest.raises(loader["Stop"]) as error:
        loader["load_ising_data"](url=serve().url)
    line = str(error.value)
    assert str(path) in line and words in line and "\n" not in line and len(line) < 300
    assert "Replace this file, or unset ISING_DATA" in line  # the way out
    assert error.value._render_traceback_() == [line]  # what Jupyter shows of it
    assert files() == [] and files(path.parent) == before


@ONE_GDOWN
@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_what_is_no_file_is_left_alone(loader, serve, kind, capsys):
    os.mkdir("ising_data.npz") if kind == "folder" else os.symlink("nowhere", "ising_data.npz")
    assert is_data(loader["load_ising_data"](url=serve().url))
    out = capsys.readouterr().out
    assert "ising_data.npz cannot be opened" in out and out.splitlines()[-1].startswith(
        "Using the book's data"
    )
    assert files() == ["ising_data.npz"] and (
        os.path.isdir if kind == "folder" else os.path.islink
    )("ising_data.npz")


@ONE_GDOWN
def test_file_that_cannot_be_renamed_is_left_alone(loader, serve, monkeypatch, capsys):
    """As on Windows, where another program may have a file open, and no file is renamed over another."""

    def refuse(old, new):
        raise FileExistsError(17, "File exists")

    monkeypatch.setattr(os, "rename", refuse)
    Path("ising_data.npz").write_bytes(b"somebody's")
    assert is_data(loader["load_ising_data"](url=serve(**REFUSAL).url))
    out = capsys.readouterr().out
    assert "set aside" not in out and "Not kept as ising_simulated.npz (File exists)" in out
    assert files() == ["ising_data.npz"] and Path("ising_data.npz").read_bytes() == b"somebody's"


@ONE_GDOWN
def test_the_order_of_the_sources(loader, serve, monkeypatch, tmp_path_factory, capsys):
    server, shared = serve(), tmp_path_factory.mktemp("shared") / "class.npz"
    for path, n in ((shared, 150), ("ising_data.npz", 140), ("ising_simulated.npz", 130)):
        Path(path).write_bytes(npz(C=spins[:n], T=T[:n]))

    def used():
        lattices = len(loader["load_ising_data"](url=server.url)[1])
        line = capsys.readouterr().out.splitlines()[-1]
        assert line.startswith("Using ") and line.endswith(f": {lattices} lattices.")
        return lattices, line

    monkeypatch.setenv("ISING_DATA", str(shared))
    assert used() == (150, f"Using {shared}, which ISING_DATA names: 150 lattices.") and files(
        shared.parent
    ) == ["class.npz"]
    monkeypatch.delenv("ISING_DATA")
    assert used()[0] == 140 and server.hits == 0
    os.remove("ising_data.npz")
    assert used()[0] == N and server.hits == 1
    os.remove("ising_data.npz")
    server.answer = (REFUSAL["status"], REFUSAL["body"], len(HTML), 0)
    assert used()[0] == 130 and server.hits == 2
    os.remove("ising_simulated.npz")
    assert used() == (N, f"Using simulated data: {N} lattices.")


def start(folder, url, before=(), **changes):
    """Start the loader, and a real simulation if it comes to that, in a process of its own."""
    code = "\n".join(
        [
            "import os",
            "import numpy as np",
            f"SEED, T_C = 0, {T_C}",
            *(code_cells(SOLUTION)[id].source for id in ("simulate", "load")),
            *(
                f"{name} = {np.asarray(value).tolist()}"
                for name, value in {**SMALL, **changes}.items()
            ),
            f"C, T = load_ising_data(url={url!r})",
            "print('RESULT', len(C), len(T), np.unique(C).tolist())",
        ]
    )
    environment = {k: v for k, v in os.environ.items() if k != "ISING_DATA"} | {
        "PYTHONDONTWRITEBYTECODE": "1"
    }
    return subprocess.Popen(
        [*before, sys.executable, "-u", "-c", code],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


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
        if "Download failed" in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out = process.communicate(timeout=60)[0]
    assert "KeyboardInterrupt" in out and "RESULT" not in out
    assert files(tmp_path) == []


def test_full_disk(serve, tmp_path):
    before = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh"]  # no file beyond a few kB
    out = start(tmp_path, serve().url, before=before).communicate(timeout=60)[0]
    assert (
        "Download failed" in out
        and "File too large" in out
        and "used from memory" in out
        and RESULT in out
    )
    assert files(tmp_path) == []


# Root may read and write everything, so it first gives up the capability to override permissions.
OBEYING = (
    ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"]
    if os.geteuid() == 0
    else []
)


@pytest.mark.parametrize("name", ["ising_data.npz", "ising_simulated.npz"])
def test_file_that_cannot_be_read_is_left_alone(serve, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"somebody's")
    path.chmod(0)
    out = start(
        tmp_path, serve(**({} if "data" in name else REFUSAL)).url, before=OBEYING
    ).communicate(timeout=60)[0]
    assert (
        f"{name} cannot be opened (Permission denied)" in out
        and "Kept" not in out
        and RESULT in out
    )
    assert files(tmp_path) == [name] and path.read_bytes() == b"somebody's"


@pytest.mark.parametrize("works", [True, False])
def test_read_only_folder(serve, tmp_path, works):
    (tmp_path / "ising_data.npz").write_bytes(b"somebody's")
    tmp_path.chmod(0o555)
    try:
        out = start(tmp_path, serve(**({} if works else REFUSAL)).url, before=OBEYING).communicate(
            timeout=60
        )[0]
    finally:
        tmp_path.chmod(0o755)
    assert (
        "ising_data.npz is not used" in out
        and "set aside" not in out
        and "used from memory" in out
        and RESULT in out
    )
    assert (
        files(tmp_path) == ["ising_data.npz"]
        and (tmp_path / "ising_data.npz").read_bytes() == b"somebody's"
    )


@pytest.mark.parametrize("works", [True, False])
def test_two_loaders_at_once(serve, tmp_path, works):
    server = serve(clients=2, **({} if works else REFUSAL))
    processes = [start(tmp_path, server.url) for _ in range(2)]
    outs = [process.communicate(timeout=90)[0] for process in processes]
    assert server.hits == 2 and all(RESULT in out and "Error" not in out for out in outs)
    assert files(tmp_path) == ["ising_data.npz" if works else "ising_simulated.npz"]
    with np.load(tmp_path / files(tmp_path)[0]) as file:
        assert file["C"].shape == (N, 32, 32) and file["T"].shape == (N,)


def skip_unless(before):
    """Skip a test where the system has no namespaces, or lets nobody make them."""
    if (
        not shutil.which(before[0])
        or subprocess.run([*before, "true"], capture_output=True).returncode
    ):
        pytest.skip("no namespaces here")


def test_no_route(tmp_path):
    """The real link from a network namespace in which nothing is up."""
    before = ["unshare", "--user", "--map-root-user", "--net"]
    skip_unless(before)
    out = start(tmp_path, load_cells("load")["DATA_URL"], before=before).communicate(timeout=60)[0]
    assert "no connection" in out and RESULT in out


def test_full_file_system(tmp_path):
    """A folder on a tiny tmpfs, in a mount namespace: the simulated lattices do not fit."""
    before = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        f'mount -t tmpfs -o size=8k tmpfs "{tmp_path}" && cd "{tmp_path}" && exec "$@"; exit 9',
        "sh",
    ]
    skip_unless(before)
    out = start(tmp_path, f"http://127.0.0.1:{closed_port()}/", before=before).communicate(
        timeout=60
    )[0]
    assert "No space left on device" in out and "used from memory" in out and RESULT in out
