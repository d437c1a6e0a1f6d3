"""A service that speaks Anthropic Messages, OpenAI Chat and OpenAI Responses, streamed: it says
what a test tells it to say, keeps what it is asked, and misbehaves on request."""

import contextlib
import http.server
import json
import threading


def anthropic_stream(answer):
    """The events of one answer: {"text", "calls": [(id, name, arguments)], "input", "output"}."""
    usage = {"input_tokens": answer.get("input", 100), "output_tokens": 1}
    yield "message_start", {"message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": usage}}
    index = 0
    if answer.get("text"):
        yield "content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}
        yield "content_block_delta", {
            "index": 0, "delta": {"type": "text_delta", "text": answer["text"]}}
        if answer.get("breaks"):
            return
        yield "content_block_stop", {"index": 0}
        index = 1
    for number, (call, name, arguments) in enumerate(answer.get("calls", [])):
        at = index + number
        yield "content_block_start", {"index": at, "content_block": {
            "type": "tool_use", "id": call, "name": name, "input": {}}}
        yield "content_block_delta", {"index": at, "delta": {
            "type": "input_json_delta", "partial_json": json.dumps(arguments)}}
        yield "content_block_stop", {"index": at}
    yield "message_delta", {
        "delta": {"stop_reason": "tool_use" if answer.get("calls") else "end_turn",
                  "stop_sequence": None},
        "usage": {"output_tokens": answer.get("output", 10)}}
    yield "message_stop", {}


def openai_stream(answer):
    def chunk(delta, finish=None, **more):
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}
    yield chunk({"role": "assistant", "content": answer.get("text", "")})
    yield chunk({}, "stop")
    yield {**chunk({}), "choices": [], "usage": {
        "prompt_tokens": answer.get("input", 100), "completion_tokens": answer.get("output", 10),
        "total_tokens": 0}}


def responses_stream(answer):
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress",
            "content": []}
    whole = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m",
             "status": "in_progress", "output": []}
    yield "response.created", {"response": whole}
    yield "response.output_item.added", {"output_index": 0, "item": item}
    yield "response.output_text.delta", {"output_index": 0, "content_index": 0, "item_id": "msg_1",
                                         "delta": answer.get("text", "")}
    done = {**item, "status": "completed", "content": [
        {"type": "output_text", "text": answer.get("text", ""), "annotations": []}]}
    yield "response.output_item.done", {"output_index": 0, "item": done}
    yield "response.completed", {"response": {
        **whole, "status": "completed", "output": [done],
        "usage": {"input_tokens": answer.get("input", 100),
                  "output_tokens": answer.get("output", 10), "total_tokens": 110}}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        upstream = self.server.upstream
        raw = self.rfile.read(int(self.headers["content-length"]))
        body = json.loads(raw)
        with upstream.lock:
            upstream.bodies.append(body)
            upstream.raw.append(raw.decode())
            upstream.headers.append(dict(self.headers))
            upstream.paths.append(self.path)
            number = len(upstream.bodies)
        answer = upstream.say(body, number)
        if answer.get("wait"):
            answer["wait"].wait(60)
        status = answer.get("status", 200)
        if status != 200:
            words = json.dumps({"type": "error", "error": {
                "type": answer.get("type", "api_error"), "message": answer["error"]}}).encode()
            self.send_response(status)
            for name, value in answer.get("headers", {}).items():
                self.send_header(name, value)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(words)))
            self.end_headers()
            self.wfile.write(words)
            return
        if "count" in answer:
            words = json.dumps({"input_tokens": answer["count"]}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(words)))
            self.end_headers()
            self.wfile.write(words)
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a test ended the client
            self.stream(answer)
        self.close_connection = True

    def stream(self, answer):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        if self.path.endswith("/messages"):
            for event, data in anthropic_stream(answer):
                self.write(
                    f"event: {event}\ndata: {json.dumps({'type': event, **data})}\n\n".encode())
        elif self.path.endswith("/responses"):
            for number, (event, data) in enumerate(responses_stream(answer)):
                data = {"type": event, "sequence_number": number, **data}
                self.write(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())
        else:
            for data in openai_stream(answer):
                self.write(f"data: {json.dumps(data)}\n\n".encode())
            self.write(b"data: [DONE]\n\n")

    def write(self, data):
        self.server.upstream.sent += data
        self.wfile.write(data)
        self.wfile.flush()


class Upstream:
    """`say(body, number)` gives the answer to a request; number counts from 1."""

    def __init__(self, say):
        self.say = say
        self.bodies = []  # of the requests, read
        self.raw = []  # and as they came
        self.headers = []
        self.paths = []
        self.sent = b""  # of all streams
        self.lock = threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.upstream = self
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def host(self):
        return self.url.removeprefix("http://")

    def asked(self):
        with self.lock:
            return len(self.bodies)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
