"""Chromium, headless, on a page whose script takes one check after the other and reports to a small server here.

Chromium is Debian's, installed where root may do so.
"""

import http.server
import os
import queue
import shutil
import threading
import urllib.parse

import harness
from harness import HERE, Failed, Process

FILES = {"/": ("page.html", "text/html"), "/whatwg.js": ("whatwg.js", "text/javascript")}
PROGRAMS = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
PACKAGE = "chromium-headless-shell"


def browser():
    """A Chromium that is here, or the smallest that Debian has."""
    found = filter(None, map(shutil.which, PROGRAMS))
    return next(found, None) or harness.debian(PACKAGE, PACKAGE)


class Page(http.server.ThreadingHTTPServer):
    """Serves the page's files, and queues the lines that it reports."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lines = queue.Queue()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name, kind = FILES.get(urllib.parse.urlsplit(self.path).path, (None, None))
        if not name:
            self.send_error(404)
            return
        self.answer(200, (HERE / "peers" / name).read_bytes(), kind)

    def do_POST(self):
        line = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.lines.put(line)
        self.answer(200, b"", "text/plain")

    def answer(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass  # the table says it all


class Browser(Process):
    """The browser on the page, or on the same one at another address, whose parameters are `asked`."""

    def __init__(self, program, page, asked, folder, address=None, *more):
        self.page = page
        address = f"{(address or f'http://127.0.0.1:{page.server_port}').rstrip('/')}/?{urllib.parse.urlencode(asked)}"
        options = [
            "--headless",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--no-default-browser-check",
            "--no-proxy-server",
            "--remote-debugging-port=0",  # or it would end once the page is loaded
            f"--user-data-dir={folder}",
            *more,
        ]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # which root can't have
        super().__init__(program, *options, address, lines="stderr")
        # Talk that nobody reads must not stop it.
        threading.Thread(target=self.stream.read, daemon=True).start()

    def line(self, within=60):
        """The next line of the page."""
        try:
            return self.page.lines.get(timeout=within)
        except queue.Empty:
            raise Failed(f"the page said nothing, exit code {self.process.poll()}") from None

    def finish(self, within=60):
        """The browser doesn't end by itself."""
        self.process.terminate()
        self.process.wait(within)
