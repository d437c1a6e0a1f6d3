"""A hub of model files on this machine, in the manner of the public one: OWNER/REPO/resolve/main/
FILE is a redirect that says what the file is (X-Linked-ETag, X-Linked-Size), to a CDN on another
port that sends it whole or in parts (RFC 9110: Range, If-Range, 416, HEAD). shelf_test.py lets
another client resume against it, to show that it is a faithful one."""

import hashlib
import http.server
import os
import re
import struct
import threading
import time


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def gguf(megabytes, seed=0):
    """A sound model file: a head, and one tensor of random weights."""
    count = megabytes * 250_000
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 3)
    head += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    head += text("llama.context_length") + struct.pack("<II", 4, 2048 + seed)
    head += text("general.alignment") + struct.pack("<II", 4, 32)
    head += text("w") + struct.pack("<IQIQ", 1, count, 0, 0)
    head += b"\0" * (-len(head) % 32)
    return head + os.urandom(4 * count)


class Hub:
    """Files are added to `files`: "OWNER/REPO/FILE" to bytes. The other fields may be changed at
    any time."""

    def __init__(self):
        self.files = {}
        self.rate = 0            # bytes a second of one connection; 0: as fast as it can
        self.token = ""          # closed without it
        self.hashes = {}         # announced instead of the right ones
        self.requests = []       # (host, method, path, Range)
        self.sent = 0
        self.lock = threading.Lock()
        self.cdn = self.start(self.handler(self.send_file))
        self.hub = self.start(self.handler(self.redirect))
        self.base = "http://127.0.0.1:%d" % self.hub.server_port
        self.cdn_pair = "127.0.0.1:%d" % self.cdn.server_port

    def stop(self):
        for server in (self.hub, self.cdn):
            server.shutdown()
            server.server_close()

    @staticmethod
    def start(handler):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def handler(self, answer):
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # pylint: disable=invalid-name
                with hub.lock:
                    hub.requests.append((self.server.server_port, self.command, self.path,
                                         self.headers.get("Range")))
                try:
                    answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        return Handler

    @staticmethod
    def refuse(request, status, words, headers=()):
        body = words.encode()
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    def redirect(self, request):
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/main/([^?]+)(\?.*)?", request.path)
        name = match and match.group(1) + "/" + match.group(2)
        if self.token and request.headers.get("Authorization") != "Bearer " + self.token:
            self.refuse(request, 401, "Invalid username or password.")
            return
        if name not in self.files:
            self.refuse(request, 404, "Entry not found", [("X-Error-Code", "EntryNotFound")])
            return
        content = self.files[name]
        digest = self.hashes.get(name) or hashlib.sha256(content).hexdigest()
        self.refuse(request, 302, "Found", [
            ("Location", "http://%s/%s?Signature=1" % (self.cdn_pair, name)),
            ("X-Repo-Commit", "0" * 40), ("X-Linked-Size", str(len(content))),
            ("X-Linked-ETag", '"%s"' % digest)])

    def send_file(self, request):
        if "Authorization" in request.headers:
            self.refuse(request, 400, "two ways to sign")  # as signed addresses do
            return
        content = self.files.get(request.path.split("?")[0].lstrip("/"))
        if content is None:
            self.refuse(request, 403, "expired")
            return
        tag = '"%s"' % hashlib.md5(content).hexdigest()
        begin, end, status = 0, len(content), 200
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range") or "")
        if match and request.headers.get("If-Range", tag) == tag:
            begin, status = int(match.group(1)), 206
            end = min(int(match.group(2) or len(content)) + 1, len(content))
            if begin >= len(content):
                self.refuse(request, 416, "", [("Content-Range", "bytes */%d" % len(content))])
                return
        request.send_response(status)
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("ETag", tag)
        request.send_header("Content-Length", str(end - begin))
        if status == 206:
            request.send_header("Content-Range", "bytes %d-%d/%d" % (begin, end - 1, len(content)))
        request.end_headers()
        if request.command != "HEAD":
            self.send_body(request, memoryview(content)[begin:end])

    def send_body(self, request, body):
        block = 64 << 10
        for at in range(0, len(body), block):
            part = body[at:at + block]
            request.wfile.write(part)
            with self.lock:
                self.sent += len(part)
            if self.rate:
                time.sleep(len(part) / self.rate)
