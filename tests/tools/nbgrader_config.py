"""nbgrader's configuration for grading in a fence: copy it to the course folder as nbgrader_config.py. Linux, bubblewrap.

A submission's kernel runs without a network and sees the system's programs, this Python, the data file and its own
submission, all read-only, and a /tmp of its own. nbgrader itself runs outside, and keeps the gradebook there.
"""

import atexit
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

c = get_config()  # noqa: F821
c.ClearSolutions.code_stub = {"python": "raise Stop('your code here')  # replace this line"}
made = tempfile.mkdtemp(prefix="fence-")
atexit.register(shutil.rmtree, made, ignore_errors=True)
folder = Path(os.environ.setdefault("FENCE", made))  # nbgrader reads this file more than once
sockets, spec = folder / "sockets", folder / "kernels" / "fenced" / "kernel.json"
for path in (sockets, spec.parent):
    path.mkdir(parents=True, exist_ok=True)

data = os.path.abspath(os.environ.get("ISING_DATA", os.devnull))
parts = ("bin", "lib", "lib64", "pyvenv.cfg")  # not all of /usr: nbgrader's exchange may lie there
seen = [
    f"{root}/{part}" for root in ("", "/usr", sys.base_prefix, sys.prefix) for part in parts
] + [data]
kept = [
    "LANG",
    "NBGRADER_EXECUTION",
    "OMP_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
]
variables = {name: os.environ[name] for name in kept if name in os.environ}
variables |= ({"ISING_DATA": data} if "ISING_DATA" in os.environ else {}) | {
    "HOME": "/tmp",
    "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
}
fence = (
    "bwrap --unshare-all --die-with-parent --clearenv --proc /proc --dev /dev --tmpfs /tmp".split()
)
fence += [word for path in seen for word in ("--ro-bind-try", path, path)]
fence += [word for item in variables.items() for word in ("--setenv", *item)]
fence += [
    "--bind",
    str(sockets),
    str(sockets),
    "--ro-bind",
    ".",
    "/submission",
    "--chdir",
    "/submission",
]
kernel = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
spec.write_text(
    json.dumps(
        {
            "argv": fence + kernel,
            "display_name": "fenced",
            "language": "python",
            "interrupt_mode": "message",
        }
    )
)

os.environ["JUPYTER_PATH"] = str(folder)
c.ExecutePreprocessor.kernel_name = "fenced"
c.KernelManager.transport = "ipc"  # sockets in a folder: there is no network in the fence
c.KernelManager.connection_file = str(sockets / "kernel.json")
