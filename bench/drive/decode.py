"""How fast keel's engine and llama-bench write, each asked in its own way."""

import json
import os
import pathlib
import subprocess

from drive import machine


def llama_bench(program, *, model, library, threads, depth, tokens, flash):
    """Tokens a second of llama-bench with one setting, once."""
    command = [str(program), "-m", model, "-t", str(threads), "-p", "0", "-n", str(tokens),
               "-d", str(depth), "-fa", str(flash), "-r", "1", "-o", "json"]
    done = subprocess.run(command, env=dict(os.environ, GGML_BACKEND_PATH=library), check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          cwd=pathlib.Path(program).parent)
    if done.returncode != 0:
        machine.fail("llama-bench failed", done.stderr.strip()[-300:])
    return json.loads(done.stdout)[0]["samples_ts"][0]


def write(engine, items, tokens):
    """Tokens a second after the first, by the engine's clock.

    Once before the clock runs, as llama-bench does: keel also has to notice what other programs do
    now, and takes the processors that are free. The events are fetched in bundles: a Python program
    that wakes for each of them takes 5% of a small model's time for itself.
    """
    engine.pause = 0.05
    engine.generate("depth", items, (), tokens + 1)
    answer = engine.generate("depth", items, (), tokens + 1)
    if answer.done["usage"]["completion"] != tokens + 1:
        machine.fail(f"{tokens + 1} tokens were asked for, "
                     f"{answer.done['usage']['completion']} came")
    return answer.timings["decode_tps"]
