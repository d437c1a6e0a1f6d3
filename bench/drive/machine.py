"""This machine as the benchmarks see it: programs, model files, the CPU library, and numbers.

Every figure is kept with what it was measured on: processor, library, threads and the load that
other programs put on the machine.
"""

import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "build" / "bench"
LOAD_MAX = 0.3  # of a processor, by other programs; more makes figures worthless


def fail(what, then=""):
    sys.exit(f"error: {what}" + (f"\n  {then}" if then else ""))


def keel_program(given=None):
    program = pathlib.Path(given or ROOT / "build/release/keel").resolve()
    if not os.access(program, os.X_OK):
        fail(f"there is no program {program}", "Run ./dev build first.")
    return str(program)


def model_file(name):
    """A path, or a name of deps/models.lock, which is fetched if it is not here."""
    if os.path.isfile(name):
        return str(pathlib.Path(name).resolve())
    script = str(ROOT / "scripts/models")
    found = subprocess.run([script, "path", name], stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode != 0:
        fail(f"{name} is neither a file nor a model of deps/models.lock")
    if subprocess.run([script, "get", name], check=False).returncode != 0:
        fail(f"the model {name} could not be fetched")
    return found.stdout.strip()


def hybrid_model():
    """A model with recurrent layers: random weights, SmolLM2's tokens; made the first time."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / "hybrid-qwen35.gguf"
    script = ROOT / "scripts/make-test-model"
    if not path.exists() or path.stat().st_mtime < script.stat().st_mtime:
        made = subprocess.run([str(script), "--large", "qwen35", model_file("smollm2-135m"),
                               str(path)], check=False)
        if made.returncode != 0:
            fail("the hybrid model could not be made")
    return str(path)


def peers():
    """The folder with llama-bench and llama-server; built the first time."""
    script = str(ROOT / "scripts/peers")
    if subprocess.run([script, "get"], check=False).returncode != 0:
        fail("llama-bench and llama-server could not be built")
    return pathlib.Path(subprocess.run([script, "path"], stdout=subprocess.PIPE, text=True,
                                       check=True).stdout.strip())


def cpu_choice(keel):
    """What keel chooses here: {"library", "name", "attention"}; chosen once and kept."""
    home = RESULTS / "home"
    home.mkdir(parents=True, exist_ok=True)
    os.chmod(home, 0o700)
    done = subprocess.run([keel, "doctor", "--json"], env=dict(os.environ, KEEL_HOME=str(home)),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    try:
        return json.loads((home / "cpu.json").read_text())
    except (OSError, ValueError):
        return fail("keel chose no CPU library", done.stderr.strip() or done.stdout.strip())


def all_busy():
    """Seconds that the processors were busy since the machine started; None where not known."""
    try:
        line = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0]
    except OSError:
        return None
    numbers = [int(field) for field in line.split()[1:9]]
    return (sum(numbers) - numbers[3] - numbers[4]) / os.sysconf("SC_CLK_TCK")


def own_busy(children=()):
    """Seconds of this program, of its children that have ended, and of those named that run."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        total += used.ru_utime + used.ru_stime
    for pid in children:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


class Disturbance:
    """How many processors other programs kept busy since it was made."""

    def __init__(self, children=()):
        self._children = children
        self._start = time.monotonic()
        self._all = all_busy()
        self._own = own_busy(children) if self._all is not None else 0.0

    def so_far(self):
        if self._all is None:
            return os.getloadavg()[0]
        own = own_busy(self._children) - self._own
        passed = max(time.monotonic() - self._start, 1e-3)
        return max((all_busy() - self._all - own) / passed, 0.0)


def other_load(seconds=1.0):
    disturbance = Disturbance()
    time.sleep(seconds)
    return disturbance.so_far()


def warn_if_busy(load):
    """Two threads that wait for a third program's processor are ten times as slow as two alone."""
    if load > LOAD_MAX:
        print(f"warning: other programs use {load:.1f} of a processor; figures of now say little",
              file=sys.stderr, flush=True)


def facts(keel, model, library, threads):
    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    load = round(other_load(), 2)
    warn_if_busy(load)
    version = subprocess.run([keel, "--version"], stdout=subprocess.PIPE, text=True, check=False)
    return {"processor": name, "processors": os.cpu_count(), "system": platform.system(),
            "model": os.path.basename(model), "library": os.path.basename(library or "its own"),
            "threads": threads, "keel": version.stdout.split("\n")[0],
            "other_load": load, "time": time.strftime("%Y-%m-%d %H:%M")}


def describe(known):
    return (f"{known['processor']}, {known['processors']} processors, {known['threads']} threads, "
            f"{known['library']}, {known['model']}; other programs used "
            f"{known['other_load']} of a processor")


def in_turn(names, turn):
    """The names, each `turn` beginning with the next one."""
    first = turn % len(names)
    return list(names[first:]) + list(names[:first])


def spread(values):
    """Median with least and most."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def spread_text(values, digits=1):
    s = spread(values)
    if len(values) == 1:
        return f"{s['median']:.{digits}f}"
    return f"{s['median']:.{digits}f} ({s['min']:.{digits}f}-{s['max']:.{digits}f})"


def result_path(name):
    RESULTS.mkdir(parents=True, exist_ok=True)
    return RESULTS / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"


def keep(path, value):
    """Writes a result, or what there is of it."""
    path.write_text(json.dumps(value, indent=1) + "\n")
    return path


def say_kept(path):
    print(f"kept in {path.relative_to(ROOT)}")
