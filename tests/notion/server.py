"""A Notion server on this machine with the service's own limits, words and habits
(docs/formats/notion.md); notion_test.py lets the official client and others judge it.

    python3 tests/notion/server.py [--port N] [--every N]   a workspace to try keel with
    curl -d '{"title": "By hand"}' http://127.0.0.1:PORT/owner/row   what its owner does (owner.py)

`faults` decides for each request of the API by its number (from 1) what goes wrong with it:
"rate", "overload", "conflict", "error", "unavailable", "timeout", "edge", "slow", "reset" happen
instead of the request, "applied-timeout" and "applied-reset" after it was carried out."""

import argparse
import http.server
import json
import socket
import sys
import threading
import time
import urllib.parse
import uuid

import owner
from api import Api, Call, VERSIONS
from workspace import Refused, Workspace, invalid

PAYLOAD_BYTES = 500_000
FAULTS = ("rate", "overload", "conflict", "error", "unavailable", "timeout", "edge", "slow",
          "reset", "applied-timeout", "applied-reset")
INSTEAD = {
    "rate": (429, "rate_limited", "You have been rate limited. Please try again in a few minutes.",
             {"rate_limit_reason": "connection_requests_per_minute"}),
    "overload": (529, "service_overload", "Notion is overloaded. Please try again later.", None),
    "conflict": (409, "conflict_error", "Conflict occurred while saving. Please try again.", None),
    "error": (500, "internal_server_error", "Unexpected error occurred.", None),
    "unavailable": (503, "service_unavailable",
                    "Notion is currently unavailable. Please try again later.", None),
    "timeout": (504, "gateway_timeout", "Request timed out.", None),
}
EDGE = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>cf</body></html>"


def every(count, kinds=FAULTS):
    """A fault on each `count`-th request, all kinds in turn."""
    return lambda number: kinds[number // count % len(kinds)] if number % count == 0 else None


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Clients go away in the middle: that is what some tests are about."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, ValueError)):
            super().handle_error(request, client_address)


class NotionServer:
    def __init__(self, workspace=None, port=0, retry_after=1):
        self.ws = workspace or Workspace()
        self.api = Api(self.ws)
        self.faults = lambda number: None
        self.retry_after = retry_after
        self.requests = []      # (time, method, path, status or fault)
        self.lock = threading.Lock()
        self.http = QuietServer(("127.0.0.1", port), self.handler())
        self.base = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def handler(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_GET(self):  # pylint: disable=invalid-name
                try:
                    server.serve(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_POST = do_PATCH = do_DELETE = do_PUT = do_GET

            def date_time_string(self, timestamp=None):
                return super().date_time_string(timestamp or server.ws.now())

            def log_message(self, *_):
                pass

        return Handler

    def serve(self, request):
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        if request.path.startswith("/owner/"):
            self.serve_owner(request, body)
            return
        with self.lock:
            number = len(self.requests) + 1
            self.requests.append([time.monotonic(), request.command, request.path, None])
            record = self.requests[-1]
        fault = self.faults(number)
        record[3] = fault
        if fault == "reset":
            self.reset(request)
        elif fault == "edge":
            self.send(request, 502, EDGE, [("Content-Type", "text/html"), ("cf-ray", "9a-TST")])
        elif fault in INSTEAD:
            self.refuse(request, Refused(*INSTEAD[fault]))
        else:
            self.carry_out(request, body, fault, record)

    def serve_owner(self, request, body):
        with self.ws.lock:
            try:
                words = json.dumps(owner.act(self, request.path.split("/")[2],
                                             json.loads(body or b"{}")))
            except Refused as refused:
                self.refuse(request, refused)
                return
            except (KeyError, ValueError) as error:
                self.refuse(request, invalid(f"the owner's wish is not understood: {error!r}"))
                return
        self.send(request, 200, words)

    def carry_out(self, request, body, fault, record):
        with self.ws.lock:
            try:
                answer = self.api.answer(self.call(request, body))
                later = answer.get("object") == "async_task" and request.command != "GET"
                status = 202 if later else 200
                words = json.dumps(answer)
            except Refused as refused:
                status, words = refused.status, None
                error = refused
        record[3] = fault or status
        if fault == "applied-reset":
            self.reset(request)
        elif fault == "applied-timeout":
            self.refuse(request, Refused(*INSTEAD["timeout"]))
        elif words is None:
            self.refuse(request, error)
        else:
            self.send(request, status, words, slow=fault == "slow")

    def call(self, request, body):
        path = urllib.parse.urlsplit(request.path)
        token = (request.headers.get("Authorization") or "").removeprefix("Bearer ")
        rights = self.ws.tokens.get(token)
        if rights is None:
            raise Refused(401, "unauthorized", "API token is invalid.")
        version = request.headers.get("Notion-Version")
        if version is None:
            raise Refused(400, "missing_version", "Notion-Version header failed validation: "
                          "Notion-Version header should be defined, instead was `undefined`.")
        if version not in VERSIONS:
            raise invalid("Notion-Version header failed validation: Notion-Version header should "
                          f"be {', '.join(VERSIONS)}, instead was `\"{version}\"`.")
        parts = [part for part in path.path.split("/") if part]
        if not parts or parts[0] != "v1":
            raise Refused(400, "invalid_request_url", "Invalid request URL.")
        if len(body) > PAYLOAD_BYTES:
            raise invalid(f"body failed validation: the payload should be ≤ `{PAYLOAD_BYTES}` "
                          f"bytes, instead was `{len(body)}`.")
        try:
            parsed = json.loads(body) if body else {}
        except ValueError as error:
            raise Refused(400, "invalid_json", "Error parsing JSON body.") from error
        query = {}
        for key, value in urllib.parse.parse_qsl(path.query):
            if key == "filter_properties":
                query.setdefault(key, []).append(urllib.parse.unquote(value))
            else:
                query[key] = value
        return Call(request.command, parts[1:], query, parsed, version, rights)

    def refuse(self, request, refused):
        body = {"object": "error", "status": refused.status, "code": refused.code,
                "message": refused.message, "request_id": str(uuid.uuid4())}
        if refused.more:
            body["additional_data"] = refused.more
        waits = refused.status in (429, 529)
        self.send(request, refused.status, json.dumps(body),
                  [("Retry-After", str(self.retry_after))] if waits else [])

    @staticmethod
    def send(request, status, words, headers=(), slow=False):
        data = words.encode()
        request.send_response(status)
        headers = list(headers)
        if not any(name == "cf-ray" for name, _ in headers):
            headers.append(("x-notion-request-id", str(uuid.uuid4())))
        if not any(name == "Content-Type" for name, _ in headers):
            headers.append(("Content-Type", "application/json; charset=utf-8"))
        for name, value in headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if slow:
            request.wfile.write(data[:len(data) // 2])
            request.wfile.flush()
            time.sleep(0.05)
            data = data[len(data) // 2:]
        request.wfile.write(data)
        request.wfile.flush()

    @staticmethod
    def reset(request):
        request.close_connection = True
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        request.connection.close()
        request.wfile = open("/dev/null", "wb")  # pylint: disable=consider-using-with


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--every", type=int, default=0, help="a fault on each N-th request")
    arguments = parser.parse_args()
    server = NotionServer(port=arguments.port)
    _, source = server.ws.add_database()
    if arguments.every:
        server.faults = every(arguments.every)
    print(f'[notion]\nbase_url = "{server.base}"\ndata_source = "{source.id}"\n'
          'token = "env:NOTION_TOKEN"  # NOTION_TOKEN=secret', flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
