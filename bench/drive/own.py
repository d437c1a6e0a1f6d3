"""bench/engine's program: measurements that need keel's own side of the engine."""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile

from drive import machine
from drive.engine import ENVIRONMENT


def program():
    folder = machine.ROOT / "build/release"
    built = subprocess.run(["cmake", "--build", str(folder), "--target", "bench_engine"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           check=False)
    if built.returncode != 0:
        machine.fail("bench_engine could not be built", built.stdout.strip()[-600:])
    return folder / "bench/engine/bench_engine"


def measure(what, args, **numbers):
    """What `bench_engine WHAT` printed, with "other_load"; args: keel, model, threads, rounds."""
    choice = machine.cpu_choice(args.keel)
    numbers = {"threads": args.threads, "rounds": args.rounds, **numbers}
    with tempfile.TemporaryDirectory(prefix="keel-bench-") as home:
        shutil.copy(machine.RESULTS / "home" / "cpu.json", pathlib.Path(home) / "cpu.json")
        command = [str(program()), what, "--keel", args.keel, "--model", args.model, "--library",
                   choice["library"], "--attention", choice["attention"], "--home", home]
        for name, value in numbers.items():
            command += [f"--{name}", str(value)]
        disturbance = machine.Disturbance()
        # Of its two sides only the child would have this otherwise.
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False, env=dict(os.environ, **ENVIRONMENT))
        load = round(disturbance.so_far(), 2)
    if done.returncode != 0:
        machine.fail(f"bench_engine {what} failed", done.stderr.strip()[-600:])
    machine.warn_if_busy(load)
    return {**json.loads(done.stdout), "other_load": load}


def column(result, part, key):
    return [row[part][key] for row in result["rounds"]]


def gap_figures(result):
    """Of `measure("gap")`, medians: ms of a chunk, ms that a job adds to the owner's longest gap,
    ms that an owner waits longer who comes while a job is read; and whether neither is more than a
    chunk."""
    def median(part, key):
        return statistics.median(column(result, part, key))
    chunk = median("chunk", "ms")
    added = median("with_job", "gap_ms") - median("alone", "gap_ms")
    waits = median("job_first", "first_ms") - median("alone", "first_ms")
    return {"chunk": chunk, "added": added, "waits": waits,
            "holds": added <= chunk and waits <= chunk}


def child_ratio(result):
    """Of `measure("child")`: time in the child to time in one process, the median over rounds.

    Of neighbours in time: what else the machine does changes from round to round.
    """
    return statistics.median(turn["child_ms"] / turn["in_process_ms"]
                             for turn in result["rounds"])
