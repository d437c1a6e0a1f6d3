#!/usr/bin/env python3
"""Writes the files that a guide shows in full: extract.py GUIDE FOLDER.

A file is a line with its path in back quotes and a colon, followed by a fenced block.
"""
import pathlib
import re
import sys

guide, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
found = re.findall(r"^`src/([\w/.]+)`:\n\n```\w*\n(.*?)^```$", guide.read_text(), re.M | re.S)
if not found:
    sys.exit(f"{guide} shows no file in full.")
for path, content in found:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content)
