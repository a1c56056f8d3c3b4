"""Data never fail a class: the loader against real servers on the loopback interface, with gdown.

The data sets are small (26,000 lattices would only take longer); the code is the notebook's.
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
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import requests
import trustme
from conftest import LOADER, SOLUTION, code_cells, load_cells

# The installed gdown; before 6.3 it has no limit of time.
OLD = tuple(map(int, version("gdown").split(".")[:2])) < (6, 3)
N, N_TRAIN = 800, 500  # lattices of a small data set
LEVELS = np.array([2.0, 2.2, 2.3, 2.5])
SMALL = {"N_TRAIN": N_TRAIN, "TEMPERATURES": LEVELS, "N_PER_TEMPERATURE": N // 4, "PATIENCE": 1}
T_C = 2 / np.log(1 + np.sqrt(2))
HTML = b"<!DOCTYPE html><html><head><title>Google Drive</title></head><body>Sorry</body></html>"
NOWHERE = "http://no.such.host.invalid/x"


class Touch:
    """A pickled object that leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return open, ("unpickled", "w")


rng = np.random.default_rng(0)
spins = rng.choice(np.array([-1, 1], dtype=np.int8), size=(N, 32, 32))
T = rng.permutation(np.repeat(LEVELS, N // 4))
is_test = np.arange(N) >= N_TRAIN


def npz(compress=False, **arrays):
    """Return the bytes of a data set with some arrays replaced or, if None, left out."""
    file, arrays = io.BytesIO(), {"C": spins, "T": T, **arrays}
    save = np.savez_compressed if compress else np.savez
    save(file, **{name: array for name, array in arrays.items() if array is not None})
    return file.getvalue()


def zipped(**members):
    """Return the bytes of a zip archive whose members are named like arrays, and are none."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def sorted_within(*ends):
    """Return temperatures that are sorted within each of the parts that end at some places."""
    parts = np.split(T, ends)
    return np.concatenate([np.sort(part) for part in parts])


GOOD = npz()
DAMAGED = npz(compress=True)
REFUSAL = {"status": 404, "body": HTML}
ONE_PHASE = "has one phase only in its first 500 lattices"
BOTH_SIDES = "on both sides after its first 500"
BAD = {  # content of a bad file, and the words that name its fault
    "empty": (b"", "is empty"),
    "web page": (b"\n " + HTML, "is a web page"),
    "cut off": (GOOD[: len(GOOD) // 2], "is not an npz file, or not all of it"),
    "damaged": (DAMAGED[:-3000] + bytes(1000) + DAMAGED[-2000:], "cannot be read"),
    "random bytes": (np.random.default_rng(1).bytes(5000), "is not an npz file"),
    "another format": (b"\x93NUMPY" + bytes(500), "is not an npz file"),
    "wrong keys": (npz(C=None, T=None, spins=spins), "has no C; it has spins"),
    "no temperatures": (npz(T=None), "has no T; it has C"),
    "text in place of arrays": (
        zipped(C=b"spins", T=b"2.2 2.3"),
        "T are not real numbers, but of the",
    ),
    "no arrays": (npz(C=None, T=None), "has no C; it has nothing"),
    "wrong shape": (npz(C=spins[:, :16]), "has C (800, 16, 32) and T (800,)"),
    "one lattice": (npz(C=spins[0], T=np.float64(2)), "has T of shape (), which should be (n,)"),
    "pairs of temperatures": (npz(T=np.stack([T, T], 1)), "has T of shape (800, 2)"),
    "one temperature missing": (npz(T=T[1:]), "has C (800, 32, 32) and T (799,)"),
    "too few": (npz(C=spins[:500], T=T[:500]), "has 500 lattices, and more than 500"),
    "three spin values": (npz(C=spins * np.arange(32).astype(bool)), "has spins C"),
    "one value": (npz(C=np.ones_like(spins)), "has spins C"),
    "NaN spins": (npz(C=np.where(spins > 0, spins, np.nan)), "has spins C"),
    "letters": (npz(C=np.where(spins > 0, "u", "d")), "has spins C"),
    "records": (npz(C=spins.astype([("s", "i1")])), "has spins C"),
    "pickled object": (npz(C=np.array([Touch()], dtype=object)), "cannot be read"),
    "pickled temperatures": (npz(T=np.array([Touch()] * N, dtype=object)), "cannot be read"),
    "temperatures in letters": (npz(T=T.astype(str)), "T are not real numbers, but of the type <U"),
    "complex temperatures": (npz(T=T + 0j), "T are not real numbers, but of the type complex"),
    "a NaN temperature": (npz(T=np.r_[np.nan, T[1:]]), "not positive"),
    "an infinite temperature": (npz(T=np.r_[np.inf, T[1:]]), "not positive"),
    "a negative temperature": (npz(T=np.r_[-1, T[1:]]), "not positive"),
    "T = Tc": (npz(T=np.r_[T_C, T[1:]]), "T = Tc"),
    "T = Tc, rounded": (npz(T=np.r_[2.269185, T[1:]]), "T = Tc"),
    "too many": (npz(T=rng.permutation(np.linspace(2.1, 2.4, N))), "800 different temperatures"),
    "sorted": (npz(T=np.sort(T)), BOTH_SIDES),
    "sorted, falling": (npz(T=np.sort(T)[::-1]), BOTH_SIDES),
    "training and test each sorted": (npz(T=sorted_within(N_TRAIN)), "of different T: shuffle"),
    "sorted but for the near ones": (npz(T=np.r_[sorted_within(600)]), "of different T: shuffle"),
    "one temperature": (npz(T=np.full(N, 2.2)), ONE_PHASE),
    "one phase": (npz(T=np.where(T > T_C, 2.1, T)), ONE_PHASE),
    "one phase to train on": (npz(T=np.where((T < T_C) & ~is_test, 2.5, T)), ONE_PHASE),
    "none near Tc above": (npz(T=np.where(T == 2.3, 2.5, T)), BOTH_SIDES),
    "none near Tc to test on": (npz(T=np.where((T == 2.2) & is_test, 2.0, T)), BOTH_SIDES),
    "another share to test on": (
        npz(T=np.where((T != 2.2) & is_test, 2.3, T)),
        "of different T: shuffle",
    ),
}


class Server(ThreadingHTTPServer):
    """Answers every request alike: status, body, bytes announced, seconds of silence behind it."""

    daemon_threads = True

    def __init__(self, status=200, body=GOOD, length=None, silence=0.0, tls=None, clients=1):
        self.answer = (status, body, len(body) if length is None else length, silence)
        self.tls, self.hits, self.moved_to = tls, 0, None
        # No answer before so many clients are there.
        self.meeting = threading.Barrier(clients, timeout=30)
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
        html = body.lstrip()[:1] == b"<"
        self.send_header("Content-Type", "text/html" if html else "application/octet-stream")
        if status == 302:
            self.send_header("Location", self.server.url)
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
        """Be a proxy that answers for https://drive.google.com itself, or refuses to."""
        if self.server.tls is None:
            self.send_error(407)
            return
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
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder)]
    done = subprocess.run([*pip, "gdown==5.2.0"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"gdown 5.2 cannot be installed: {done.stderr.strip()[-200:]}")
    return folder


def forget_gdown(monkeypatch=None):
    """Let the next import bring gdown anew."""
    for name in [name for name in sys.modules if name.split(".")[0] == "gdown"]:
        if monkeypatch:
            monkeypatch.delitem(sys.modules, name)
        else:
            del sys.modules[name]


def quick_simulation(temperatures, n_per_temperature, size, seed):
    """Random spins in place of simulated ones; loaders in processes of their own simulate."""
    assert (size, seed) == (32, 0)
    return spins, rng.permutation(np.repeat(temperatures, n_per_temperature))


@pytest.fixture
def loader(monkeypatch, tmp_path):
    """The notebook's loader in an empty folder, for small data sets."""
    monkeypatch.delenv("ISING_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    namespace = load_cells(*LOADER, simulate_ising=quick_simulation)
    assert namespace["PATIENCE"] == 30
    namespace.update(SMALL)
    return namespace


@pytest.fixture(params=["installed", "5.2"])
def any_gdown(request, loader, monkeypatch):
    """The loader with the gdown that is installed, and with 5.2; gives the version's name."""
    if request.param == "5.2":
        forget_gdown(monkeypatch)
        monkeypatch.syspath_prepend(request.getfixturevalue("gdown_5_2"))
    yield request.param
    if request.param == "5.2":
        assert sys.modules["gdown"].__version__.startswith("5.2.")
        forget_gdown()  # so that monkeypatch restores the version that was there


def is_data(data):
    """True for a whole data set as the notebook uses it."""
    C, T = data
    whole = C.shape == (N, 32, 32) and C.dtype == np.int8 and T.shape == (N,) and T.dtype == float
    return whole and set(np.unique(C)) == {-1, 1} and set(T) == set(LEVELS)


def files(folder="."):
    return sorted(os.listdir(folder))


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def assert_simulated(loader, url, words, capsys):
    """Load from a server that fails: a line says why, the data are simulated, kept, and used."""
    assert is_data(loader["load_ising_data"](url=url))
    out = capsys.readouterr()
    lines = out.out.splitlines()
    (why,) = [line for line in lines if "Download failed" in line]  # behind a progress bar
    why = why.partition("Download failed")[2]
    assert words in why and len(why) < 150 and "Error" not in why
    assert "a good ising_data.npz in this folder would come first" in out.out
    assert files() == ["ising_simulated.npz"] and not out.err
    assert lines[-1] == f"Using simulated data: {N} lattices."
    loader["simulate_ising"] = None
    assert is_data(loader["load_ising_data"](url=f"http://127.0.0.1:{closed_port()}/"))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("Using simulated data") and "ising_simulated.npz" in last


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_refused_with_its_reason(loader, fault):
    content, words = BAD[fault]
    Path("some.npz").write_bytes(content)
    with pytest.raises(ValueError) as error:
        loader["read_ising"]("some.npz")
    line = str(error.value)
    assert line.startswith("the file") and words in line and "\n" not in line and len(line) < 200
    assert files() == ["some.npz"]  # nothing was unpickled


SOME_BAD = ["web page", "cut off", "no temperatures"]


@pytest.mark.parametrize("fault", SOME_BAD)
def test_server_sends_a_bad_file(loader, any_gdown, serve, capsys, fault):
    body, words = BAD[fault]
    server = serve(body=body)
    assert_simulated(loader, server.url, words, capsys)
    assert server.hits == 1


@pytest.mark.parametrize("code", [403, 404, 500])
def test_server_refuses(loader, any_gdown, serve, capsys, code):
    old = OLD or any_gdown == "5.2"  # which takes an error's page for the file
    words = "is a web page" if old else f"the server answered {code}"
    assert_simulated(loader, serve(status=code, body=HTML).url, words, capsys)


def test_server_hangs_up_halfway(loader, any_gdown, serve, capsys):
    old = OLD or any_gdown == "5.2"
    words = "broke" if old else "Download is incomplete"
    server = serve(body=GOOD[:99999], length=len(GOOD))
    assert_simulated(loader, server.url, words, capsys)


def test_server_redirects_in_a_circle(loader, any_gdown, serve, capsys):
    assert_simulated(loader, serve(status=302, body=b"").url, "round in a circle", capsys)


@pytest.mark.skipif(OLD, reason="gdown before 6.3 has no limit of time")
@pytest.mark.parametrize("sent", [0, 9999])
def test_server_falls_silent(loader, serve, capsys, sent):
    server = serve(body=GOOD[:sent], length=len(GOOD), silence=6)
    assert_simulated(loader, server.url, "nothing was heard for 1 s", capsys)


@pytest.mark.parametrize("url", [NOWHERE, "refused"])
def test_no_connection(loader, any_gdown, capsys, url):
    url = f"http://127.0.0.1:{closed_port()}/x" if url == "refused" else url
    assert_simulated(loader, url, "no connection", capsys)


def test_no_gdown(loader, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", None)
    assert_simulated(loader, "http://127.0.0.1/", "gdown", capsys)


def test_an_error_within_gdown_is_no_second_download(loader, capsys, monkeypatch):
    calls = []

    def fail(url, output, use_cookies, timeout):
        calls.append(timeout)
        raise TypeError("something else")

    monkeypatch.setattr("gdown.download", fail)
    assert_simulated(loader, "http://127.0.0.1/", "something else", capsys)
    assert calls == [1, 1]  # assert_simulated loads twice


KINDS = {
    "-1/+1 float": npz(C=spins.astype(float)),
    "0/1 float32": npz(C=((spins + 1) / 2).astype(np.float32)),
    "0/1 uint8, rounding of T": npz(C=(spins > 0).astype(np.uint8), T=T + 1e-9 * (spins[:, 0, 0])),
    "bool, float32 T, compressed": npz(True, C=spins > 0, T=T.astype(np.float32)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_file_is_read_whatever_its_types(loader, kind):
    Path("some.npz").write_bytes(KINDS[kind])
    C, levels = loader["read_ising"]("some.npz")
    assert is_data((C, levels)) and np.array_equal(C, spins) and (levels == T).all()


def test_parts_that_differ_by_chance_only_are_fine(loader):
    """Shuffled in any way, and with shares that are equal to the last lattice."""
    rng = np.random.default_rng(7)
    few = np.r_[np.repeat(LEVELS, 199), [1.0, 1.5, 3.0, 3.5]]  # some temperatures are rare
    for _ in range(300):
        assert not loader["shares_differ"](rng.permutation(T))
        assert not loader["shares_differ"](rng.permutation(few))
    assert not loader["shares_differ"](np.tile(LEVELS, N // 4))


def test_good_server(loader, any_gdown, serve, capsys):
    server = serve()
    data = loader["load_ising_data"](url=server.url)
    out = capsys.readouterr()
    assert is_data(data) and (data[0] == spins).all() and (data[1] == T).all()
    assert files() == ["ising_data.npz"] and not out.err
    assert out.out.splitlines()[-1] == f"Using the book's data: {N} lattices."
    again = loader["load_ising_data"](url=server.url)
    assert server.hits == 1 and (again[0] == data[0]).all() and (again[1] == data[1]).all()
    assert "Using ising_data.npz" in capsys.readouterr().out.splitlines()[-1]


@pytest.fixture
def proxy(serve, monkeypatch, tmp_path_factory):
    """A function that starts a proxy on the loopback interface in place of Google Drive.

    Only if trusted, the loader knows the authority that has signed its certificate.
    """
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("drive.google.com").configure_cert(tls)
    bundle = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))

    def start_proxy(body, trusted=True, refuses=False):
        server = serve(body=body, tls=None if refuses else tls)
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
        for name in ("NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)
        if trusted:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        return server

    return start_proxy


HANDS_OUT_NOTHING = "Google Drive does not hand the file out"


@pytest.mark.parametrize("body, words", [(GOOD, "book's data"), (HTML, HANDS_OUT_NOTHING)])
def test_the_link_of_the_book(loader, any_gdown, proxy, capsys, monkeypatch, tmp_path, body, words):
    """The default URL. The server's cookie is not written to the home folder."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    forget_gdown(monkeypatch)  # it asks for the home folder when it is imported
    server = proxy(body)
    assert is_data(loader["load_ising_data"]())
    assert words in capsys.readouterr().out and server.hits >= 1
    assert not list(home.rglob("cookies*"))


@pytest.mark.parametrize(
    "fault, words",
    [
        ({"trusted": False}, "the server's certificate is not accepted here"),
        ({"refuses": True}, "the proxy of this network does not let it through"),
    ],
)
def test_certificate_and_proxy_are_told_from_no_connection(
    loader, any_gdown, proxy, capsys, fault, words
):
    proxy(GOOD, **fault)
    assert_simulated(loader, loader["DATA_URL"], words, capsys)


def test_every_kind_of_failure_has_its_words(loader):
    reason_of, kinds = loader["reason_of"], requests.exceptions
    assert reason_of(KeyboardInterrupt()) == "you interrupted it"
    assert reason_of(kinds.ConnectTimeout()) == "nothing was heard for 1 s"
    assert reason_of(kinds.ConnectionError("Read timed out.")) == "nothing was heard for 1 s"
    assert reason_of(kinds.ChunkedEncodingError()) == "the connection broke"
    assert reason_of(OSError(28, "No space left on device")) == "No space left on device"
    assert reason_of(RuntimeError()) == "RuntimeError"
    assert reason_of(kinds.HTTPError()) == "HTTPError"  # one without a response


@pytest.mark.parametrize("name", ["ising_data.npz", "ising_simulated.npz"])
@pytest.mark.parametrize("fault", SOME_BAD)
def test_a_bad_file_on_disk_is_left_as_it_is(loader, capsys, name, fault):
    body, words = BAD[fault]
    Path(name).write_bytes(body)
    url = f"http://127.0.0.1:{closed_port()}/"
    assert is_data(loader["load_ising_data"](url=url))
    out = capsys.readouterr()
    (why,) = [line for line in out.out.splitlines() if line.startswith(f"{name} is not used")]
    assert words in why and "left as it is" in why and not out.err
    assert f"Delete, rename or replace {name}" in out.out  # the way out
    assert Path(name).read_bytes() == body
    assert set(files()) == {name, "ising_simulated.npz"}


@pytest.mark.parametrize("fault", [*SOME_BAD, "missing", "folder"])
def test_a_bad_file_named_by_ising_data_is_an_error(
    loader, serve, monkeypatch, tmp_path_factory, fault
):
    path = tmp_path_factory.mktemp("shared") / "class.npz"
    other = {"missing": "No such file", "folder": "Is a directory"}
    body, words = BAD.get(fault) or (None, other[fault])
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
    assert "Let it name a data file, or unset it" in line  # the way out
    assert error.value._render_traceback_() == [line]  # what Jupyter shows of it
    assert files() == [] and files(path.parent) == before


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_what_is_no_file_is_left_alone(loader, serve, kind, capsys):
    if kind == "folder":
        os.mkdir("ising_data.npz")
    else:
        os.symlink("nowhere", "ising_data.npz")
    assert is_data(loader["load_ising_data"](url=serve().url))
    out = capsys.readouterr().out
    assert "ising_data.npz is not used, and left as it is" in out
    assert out.splitlines()[-1].startswith("Using the book's data")
    still = os.path.isdir if kind == "folder" else os.path.islink
    assert files() == ["ising_data.npz"] and still("ising_data.npz")


def test_no_file_is_written_over_another(loader, serve, monkeypatch, capsys):
    """As on Windows, where os.rename refuses to."""

    def refuse(old, new):
        raise FileExistsError(17, "File exists")

    monkeypatch.setattr(os, "rename", refuse)
    Path("ising_data.npz").write_bytes(b"somebody's")
    assert is_data(loader["load_ising_data"](url=serve(**REFUSAL).url))
    assert "Not kept as ising_simulated.npz (File exists)" in capsys.readouterr().out
    assert files() == ["ising_data.npz"]
    assert Path("ising_data.npz").read_bytes() == b"somebody's"


def test_the_order_of_the_sources(loader, serve, monkeypatch, tmp_path_factory, capsys):
    server, shared = serve(), tmp_path_factory.mktemp("shared") / "class.npz"
    for path, n in ((shared, 750), ("ising_data.npz", 700), ("ising_simulated.npz", 650)):
        Path(path).write_bytes(npz(C=spins[:n], T=T[:n]))

    def used():
        lattices = len(loader["load_ising_data"](url=server.url)[1])
        line = capsys.readouterr().out.splitlines()[-1]
        assert line.startswith("Using ") and line.endswith(f": {lattices} lattices.")
        return lattices, line

    monkeypatch.setenv("ISING_DATA", str(shared))
    assert used() == (750, f"Using {shared}, which ISING_DATA names: 750 lattices.")
    assert files(shared.parent) == ["class.npz"]
    monkeypatch.delenv("ISING_DATA")
    assert used()[0] == 700 and server.hits == 0
    os.remove("ising_data.npz")
    assert used()[0] == N and server.hits == 1
    os.remove("ising_data.npz")
    server.answer = (REFUSAL["status"], REFUSAL["body"], len(HTML), 0)
    assert used()[0] == 650 and server.hits == 2
    os.remove("ising_simulated.npz")
    assert used() == (N, f"Using simulated data: {N} lattices.")


def start(folder, url, before=(), **changes):
    """Start the loader in a process of its own, with a real simulation if it comes to that."""
    cells = code_cells(SOLUTION)
    small = {**SMALL, **changes, "SEED": 0, "T_C": T_C, "NEAR": 0.1}
    code = [
        "import numpy as np",
        *(cells[id].source for id in ("simulate", *LOADER)),
        *(
            f"{name} = np.asarray({np.asarray(value).tolist()})[()]"
            for name, value in small.items()
        ),
        f"C, T = load_ising_data(url={url!r})",
        "print('RESULT', len(C), len(T), np.unique(C).tolist())",
    ]
    environment = {name: value for name, value in os.environ.items() if name != "ISING_DATA"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return subprocess.Popen(
        [*before, sys.executable, "-u", "-c", "\n".join(code)],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=listen_to_interrupts,
    )


def listen_to_interrupts():
    """Undo what a shell in the background, or nohup, has told its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


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
    process = start(tmp_path, f"http://127.0.0.1:{closed_port()}/", N_PER_TEMPERATURE=9000)
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
    assert "Download failed" in out and "File too large" in out
    assert "used from memory" in out and RESULT in out
    assert files(tmp_path) == []


# Root may read and write everything, so it first gives up the capability to override permissions.
OBEYING = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"]
if os.geteuid() != 0:
    OBEYING = []


@pytest.mark.parametrize("name", ["ising_data.npz", "ising_simulated.npz"])
def test_file_that_cannot_be_read_is_left_alone(serve, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"somebody's")
    path.chmod(0)
    server = serve() if "data" in name else serve(**REFUSAL)
    out = start(tmp_path, server.url, before=OBEYING).communicate(timeout=60)[0]
    assert f"{name} is not used, and left as it is: Permission denied" in out
    assert "Kept" not in out and RESULT in out
    assert files(tmp_path) == [name] and path.read_bytes() == b"somebody's"


@pytest.mark.parametrize("works", [True, False])
def test_read_only_folder(serve, tmp_path, works):
    bad = tmp_path / "ising_data.npz"
    bad.write_bytes(b"somebody's")
    server = serve() if works else serve(**REFUSAL)
    tmp_path.chmod(0o555)
    try:
        out = start(tmp_path, server.url, before=OBEYING).communicate(timeout=60)[0]
    finally:
        tmp_path.chmod(0o755)
    assert "ising_data.npz is not used" in out and "used from memory" in out and RESULT in out
    assert files(tmp_path) == ["ising_data.npz"] and bad.read_bytes() == b"somebody's"


@pytest.mark.parametrize("works", [True, False])
def test_two_loaders_at_once(serve, tmp_path, works):
    server = serve(clients=2) if works else serve(clients=2, **REFUSAL)
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
    url = load_cells("read", "reason", "download")["DATA_URL"]
    out = start(tmp_path, url, before=before).communicate(timeout=60)[0]
    assert "no connection" in out and RESULT in out


def test_full_file_system(tmp_path):
    """A folder on a tiny tmpfs, in a mount namespace: the simulated lattices do not fit."""
    before = ["unshare", "--user", "--map-root-user", "--mount"]
    skip_unless(before)
    mount = f'mount -t tmpfs -o size=8k tmpfs "{tmp_path}" && cd "{tmp_path}" && exec "$@"; exit 9'
    url = f"http://127.0.0.1:{closed_port()}/"
    out = start(tmp_path, url, [*before, "sh", "-c", mount, "sh"]).communicate(timeout=60)[0]
    assert "No space left on device" in out and "used from memory" in out and RESULT in out
