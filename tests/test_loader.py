"""Data never fail a class: the loader against real servers on the loopback interface, with gdown.

The data sets are small (26,000 lattices would only take longer); the code is the notebook's.
"""

import contextlib
import inspect
import io
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gdown
import numpy as np
import pytest
import trustme
from conftest import SOLUTION, code_cells, load_cells

N, N_TRAIN = 800, 500  # lattices of a small data set
LEVELS = np.array([2.0, 2.2, 2.3, 2.5])
SMALL = {"N_TRAIN": N_TRAIN, "TEMPERATURES": LEVELS, "N_PER_TEMPERATURE": N // 4, "PATIENCE": 1}
HTML = b"<!DOCTYPE html><html><head><title>Google Drive</title></head><body>Sorry</body></html>"


class Touch:
    """A pickled object that leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return open, ("unpickled", "w")


rng = np.random.default_rng(0)
spins = rng.choice(np.array([-1, 1], dtype=np.int8), size=(N, 32, 32))
T = rng.permutation(np.repeat(LEVELS, N // 4))
is_test = np.arange(N) >= N_TRAIN


def npz(save=np.savez, **arrays):
    """Return the bytes of a data set with some arrays replaced or, if None, left out."""
    file, arrays = io.BytesIO(), {"C": spins, "T": T, **arrays}
    save(file, **{name: array for name, array in arrays.items() if array is not None})
    return file.getvalue()


GOOD = npz()
PACKED = npz(np.savez_compressed)
EACH_SORTED = np.r_[np.sort(T[:N_TRAIN]), np.sort(T[N_TRAIN:])]
NO_NPZ = "it is no npz file with arrays C and T, or not all of it"
ONE_PHASE = "its first 500 lattices, for training, are of one phase only"
NOT_NEAR = "its others, for testing, are not on both sides of Tc within 0.1"
BAD = {  # content of a bad file, and the words that name its fault
    "empty": (b"", NO_NPZ),
    "web page": (HTML, NO_NPZ),
    "cut off": (GOOD[: len(GOOD) // 2], NO_NPZ),
    "damaged": (PACKED[:-3000] + bytes(1000) + PACKED[-2000:], NO_NPZ),
    "other names": (npz(C=None, T=None, spins=spins), NO_NPZ),
    "pickled spins": (npz(C=np.array([Touch()], dtype=object)), NO_NPZ),
    "small lattices": (npz(C=spins[:, :16]), "it has C (800, 16, 32) and T (800,), not"),
    "one lattice": (npz(C=spins[0], T=np.float64(2)), "it has C (32, 32) and T (), not"),
    "one T missing": (npz(T=T[1:]), "it has C (800, 32, 32) and T (799,), not"),
    "too few": (npz(C=spins[:500], T=T[:500]), "it has 500 lattices, and more than 500"),
    "three spin values": (npz(C=np.triu(spins)), "its spins C are not -1 and +1, or 0 and 1"),
    "one spin value": (npz(C=np.ones_like(spins)), "its spins C are not"),
    "NaN spins": (npz(C=np.where(spins > 0, spins, np.nan)), "its spins C are not"),
    "NaN T": (npz(T=np.r_[np.nan, T[1:]]), "its temperatures T are not positive numbers"),
    "infinite T": (npz(T=np.r_[np.inf, T[1:]]), "its temperatures T are not positive"),
    "negative T": (npz(T=np.r_[-1, T[1:]]), "its temperatures T are not positive"),
    "too many T": (npz(T=rng.permutation(np.linspace(2.1, 2.4, N))), "it has more than 100"),
    "one phase": (npz(T=np.where(T > 2.25, 2.2, T)), ONE_PHASE),
    "one phase to train on": (npz(T=np.where((T < 2.25) & ~is_test, 2.3, T)), ONE_PHASE),
    "none near Tc above": (npz(T=np.where(T == 2.3, 2.5, T)), NOT_NEAR),
    "none near Tc to test on": (npz(T=np.where((T == 2.2) & is_test, 2.0, T)), NOT_NEAR),
    "sorted": (npz(T=np.sort(T)), NOT_NEAR),
    "training and test each sorted": (npz(T=EACH_SORTED), "it is not shuffled: shuffle C and T"),
}
KINDS = {  # good files
    "-1/+1 float": npz(C=spins.astype(float)),
    "0/1 float32": npz(C=((spins + 1) / 2).astype(np.float32)),
    "0/1 uint8, rounding of T": npz(C=(spins > 0).astype(np.uint8), T=T + 1e-9 * spins[:, 0, 0]),
    "bool, float32 T": npz(np.savez_compressed, C=spins > 0, T=T.astype(np.float32)),
}


class Server(ThreadingHTTPServer):
    """Answers every request alike: status, body, bytes announced, seconds of silence behind it.

    With tls, it is a proxy that answers for https://drive.google.com itself.
    """

    daemon_threads = True

    def __init__(self, status=200, body=GOOD, length=None, silence=0.0, tls=None, clients=1):
        self.answer = (status, body, len(body) if length is None else length, silence)
        self.tls, self.hits = tls, 0
        self.meeting = threading.Barrier(clients, timeout=30)  # no answer before all are there
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
        self.send_header("Content-Type", "text/html" if body == HTML else "application/zip")
        if body != HTML:
            self.send_header("Content-Disposition", 'attachment; filename="ising.npz"')
        self.send_header("Set-Cookie", "visited=yes; Max-Age=999")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        time.sleep(silence)
        self.close_connection = True

    def do_CONNECT(self):
        self.send_response(200)
        self.end_headers()
        tls = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.request = self.connection = tls
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


def closed_port():
    """Return a URL behind which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/ising.npz"


def quick_simulation(temperatures, n_per_temperature, size, seed):
    """Random spins in place of simulated ones; loaders in processes of their own simulate."""
    assert (list(temperatures), n_per_temperature, size, seed) == (list(LEVELS), N // 4, 32, 0)
    return spins.copy(), T.copy()


@pytest.fixture
def loader(monkeypatch, tmp_path):
    """The names of the notebook's loader, in an empty folder and for small data sets."""
    monkeypatch.delenv("ISING_DATA", raising=False)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    namespace = load_cells("data")
    namespace.update(SMALL, simulate_ising=quick_simulation, DATA_URL=closed_port())
    return namespace


@pytest.fixture
def load(loader, capsys):
    """A function that loads the data from a URL; returns them and the lines that are printed."""

    def run(url=None):
        loader["DATA_URL"] = url or loader["DATA_URL"]
        data = loader["load_ising_data"]()
        out = capsys.readouterr()
        assert not out.err and not any(array.flags.writeable for array in data)
        return data, out.out.splitlines()

    return run


@pytest.fixture(scope="session")
def gdown_5_2(tmp_path_factory):
    """A folder with gdown 5.2, the version that Colab has carried."""
    folder = tmp_path_factory.mktemp("gdown")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder)]
    done = subprocess.run([*pip, "gdown==5.2.0"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"gdown 5.2 cannot be installed: {done.stderr.strip()[-200:]}")
    return folder


@pytest.fixture(params=["installed", "5.2"])
def any_gdown(request, monkeypatch):
    """The gdown that is installed, and 5.2: the test imports it anew."""
    if request.param == "5.2":
        monkeypatch.syspath_prepend(request.getfixturevalue("gdown_5_2"))
    for name in [name for name in sys.modules if name.split(".")[0] == "gdown"]:
        monkeypatch.delitem(sys.modules, name)
    yield
    assert sys.modules["gdown"].__version__.startswith("5.2.") or request.param == "installed"


def is_whole(data):
    """True for the small data set as the notebook uses it."""
    C, levels = data
    return C.dtype == np.int8 and np.array_equal(C, spins) and np.array_equal(levels, T)


def files(folder="."):
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_refused_with_its_reason(loader, fault):
    content, words = BAD[fault]
    Path("some.npz").write_bytes(content)
    with pytest.raises(ValueError) as error:
        loader["read_ising"]("some.npz")
    line = str(error.value)
    assert line.startswith(words) and "\n" not in line and len(line) < 100
    assert files() == ["some.npz"]  # nothing was unpickled


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_file_is_read_whatever_its_types(loader, kind):
    Path("some.npz").write_bytes(KINDS[kind])
    assert is_whole(loader["read_ising"]("some.npz"))


def test_parts_that_differ_by_chance_only_are_fine(loader):
    for _ in range(30):
        loader["refuse_unfit"](spins, rng.permutation(T))


def test_the_book_s_data_are_kept(load, any_gdown, serve):
    server = serve()
    data, lines = load(server.url)
    assert is_whole(data) and files() == ["ising_data.npz"]
    assert lines[0].startswith("Downloading")  # no word about files that are not there
    assert lines[-1] == f"Using the book's data: {N} lattices."
    data, lines = load(server.url)
    assert is_whole(data) and server.hits == 1
    assert lines == [f"Using ising_data.npz of this folder: {N} lattices."]


def assert_simulated(load, url):
    """Load what cannot be downloaded: a line says so; data are simulated, kept, and used again."""
    data, lines = load(url)
    (why,) = [line for line in lines if "Download failed (" in line]  # behind a progress bar
    assert len(why[why.index("Download failed") :]) < 160
    assert is_whole(data) and files() == ["ising_simulated.npz"]
    assert lines[-1] == f"Using simulated data: {N} lattices."
    data, lines = load()
    assert is_whole(data)
    assert lines[-1].startswith("Using simulated data, ising_simulated.npz of this folder")
    return why


FAILING = {  # what the server does
    "web page": {"body": HTML},
    "bad file": {"body": BAD["sorted"][0]},
    "refuses": {"body": HTML, "status": 403},
    "hangs up halfway": {"body": GOOD[:99999], "length": len(GOOD)},
    "is not there": None,
}


@pytest.mark.parametrize("fault", FAILING)
def test_a_failed_download_costs_a_line(load, any_gdown, serve, fault):
    answer = FAILING[fault]
    assert_simulated(load, serve(**answer).url if answer else closed_port())


@pytest.mark.skipif(
    "timeout" not in inspect.signature(gdown.download).parameters,
    reason="gdown before 6.3 has no limit of time",
)
@pytest.mark.parametrize("sent", [0, 9999])
def test_a_silent_server_is_given_up(load, serve, sent):
    server = serve(body=GOOD[:sent], length=len(GOOD), silence=6)
    assert "timed out" in assert_simulated(load, server.url)


def test_no_gdown(load, serve, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", None)
    assert_simulated(load, serve().url)


def test_the_link_of_the_book(load, any_gdown, serve, monkeypatch, tmp_path):
    """The default link, with a proxy in Google Drive's place. No cookie is kept at home."""
    link = load_cells("data")["DATA_URL"]
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("drive.google.com").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    server = serve(tls=tls)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))  # gdown asks for it when it is imported
    data, lines = load(link)
    assert is_whole(data) and server.hits and "the book's data" in lines[-1]
    assert not list(home.rglob("cookies*"))


@pytest.mark.parametrize("fault", ["web page", "sorted"])
@pytest.mark.parametrize("name", ["ising_data.npz", "ising_simulated.npz"])
def test_a_bad_file_on_disk_is_left_as_it_is(load, serve, name, fault):
    """Even if there is something to be kept in its place."""
    body, words = BAD[fault]
    Path(name).write_bytes(body)
    data, lines = load(serve().url if name == "ising_data.npz" else None)
    assert f"{name} is not used: {words}" in "\n".join(lines)
    assert is_whole(data) and f"Not kept as {name}, which exists." in lines
    assert files() == [name] and Path(name).read_bytes() == body


def test_a_dangling_link_is_left_alone(load, serve):
    os.symlink("nowhere", "ising_data.npz")
    data, lines = load(serve().url)
    assert is_whole(data) and "Not kept as ising_data.npz, which exists." in lines
    assert files() == ["ising_data.npz"] and os.path.islink("ising_data.npz")


WAYS = {  # to write ISING_DATA, if the notebook is in home/work and the data in home/my data
    "absolute": "{home}/my data/class.npz",
    "relative": "../my data/class.npz",
    "at home": "~/my data/class.npz",
    "double quotes": '"{home}/my data/class.npz"',
    "single quotes, at home": "'~/my data/class.npz'",
    "space behind": "../my data/class.npz ",  # as in `set ISING_DATA=... && jupyter lab`
}


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_write_ising_data(load, loader, monkeypatch, tmp_path, way):
    """A missing file is an error that names it; once it is there, it is used."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ISING_DATA", WAYS[way].format(home=tmp_path))
    path = tmp_path / "my data" / "class.npz"
    path.parent.mkdir()
    with pytest.raises(loader["Stop"]) as error:
        load()
    fault = f"ISING_DATA names {path}: No such file or directory."
    assert str(error.value) == f"{fault} Let it name a data file, or unset it."
    path.write_bytes(GOOD)
    data, lines = load()
    assert is_whole(data) and files() == [] and files(path.parent) == ["class.npz"]
    assert lines == [f"Using {path}, which ISING_DATA names: {N} lattices."]


def test_the_order_of_the_sources(load, loader, serve, monkeypatch, tmp_path):
    server, shared = serve(), tmp_path / "class.npz"
    for path, n in ((shared, 750), ("ising_data.npz", 700), ("ising_simulated.npz", 650)):
        Path(path).write_bytes(npz(C=spins[:n], T=T[:n]))

    def used():
        data, lines = load(server.url)
        assert lines[-1].startswith("Using ") and lines[-1].endswith(f": {len(data[1])} lattices.")
        return len(data[1])

    monkeypatch.setenv("ISING_DATA", str(shared))
    assert used() == 750
    shared.write_bytes(HTML)
    with pytest.raises(loader["Stop"], match=f"^ISING_DATA names {shared}: {NO_NPZ}.*$"):
        used()
    monkeypatch.delenv("ISING_DATA")
    assert used() == 700 and server.hits == 0
    os.remove("ising_data.npz")
    assert used() == N and server.hits == 1
    os.remove("ising_data.npz")
    server.answer = (404, HTML, len(HTML), 0)
    assert used() == 650 and server.hits == 2
    os.remove("ising_simulated.npz")
    assert used() == N and files() == ["ising_simulated.npz"]


RESULT = f"RESULT {N} {N} [-1, 1]"


def start(folder, url, before=(), **changes):
    """Start the loader in a process of its own, with a real simulation if it comes to that."""
    small = {**SMALL, "TEMPERATURES": LEVELS.tolist(), "DATA_URL": url, **changes}
    code = f"""
import numpy as np
SEED, T_C, NEAR = 0, 2.2691853, 0.1
{code_cells(SOLUTION)["data"].source}
globals().update({small})
C, T = load_ising_data()
print("RESULT", len(C), len(T), np.unique(C).tolist())
"""
    environment = {name: value for name, value in os.environ.items() if name != "ISING_DATA"}
    return subprocess.Popen(
        [*before, sys.executable, "-B", "-u", "-c", code],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # A shell in the background, or nohup, has told its children not to listen.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def interrupt(process):
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=60)[0]


def test_an_interrupt_in_mid_download(serve, tmp_path):
    server = serve(body=GOOD[: len(GOOD) // 2], length=len(GOOD), silence=60)
    process = start(tmp_path, server.url, PATIENCE=60)
    end = time.monotonic() + 60
    while not server.hits and time.monotonic() < end:
        time.sleep(0.05)
    out = interrupt(process)
    assert "Download interrupted." in out and RESULT in out
    assert files(tmp_path) == ["ising_simulated.npz"]


def test_an_interrupt_in_mid_simulation(tmp_path):
    process = start(tmp_path, closed_port(), N_PER_TEMPERATURE=9000)
    for line in process.stdout:
        if "Download failed" in line:
            break
    out = interrupt(process)
    assert "KeyboardInterrupt" in out and "RESULT" not in out
    assert files(tmp_path) == []


def test_a_full_disk(serve, tmp_path):
    before = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh"]  # no file beyond a few kB
    out = start(tmp_path, serve().url, before).communicate(timeout=60)[0]
    assert "Download failed (OSError: File too large)" in out
    assert "Not kept as ising_simulated.npz: File too large." in out and RESULT in out
    assert files(tmp_path) == []


# Root may read and write everything, so it first gives up the capability to override permissions.
OBEYING = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"]
if os.geteuid() != 0:
    OBEYING = []


@pytest.mark.parametrize("works", [True, False])
def test_a_folder_without_permissions(serve, tmp_path, works):
    """A file that cannot be read, in a folder in which nothing can be written."""
    path = tmp_path / "ising_data.npz"
    path.write_bytes(GOOD)
    path.chmod(0)
    tmp_path.chmod(0o555)
    url = serve().url if works else closed_port()
    try:
        out = start(tmp_path, url, OBEYING).communicate(timeout=60)[0]
    finally:
        tmp_path.chmod(0o755)
    name = "ising_data.npz" if works else "ising_simulated.npz"
    assert "ising_data.npz is not used: Permission denied." in out
    assert f"Not kept as {name}: Permission denied." in out and RESULT in out
    assert files(tmp_path) == ["ising_data.npz"] and path.read_bytes() == GOOD


@pytest.mark.parametrize("works", [True, False])
def test_two_loaders_at_once(serve, tmp_path, works):
    server = serve(clients=2, body=GOOD if works else HTML)
    processes = [start(tmp_path, server.url) for _ in range(2)]
    outs = [process.communicate(timeout=90)[0] for process in processes]
    assert server.hits == 2 and all(RESULT in out and "Traceback" not in out for out in outs)
    name = "ising_data.npz" if works else "ising_simulated.npz"
    assert files(tmp_path) == [name]
    with np.load(tmp_path / name) as file:
        assert file["C"].shape == (N, 32, 32) and file["T"].shape == (N,)
