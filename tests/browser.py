"""Headless Chromium through the DevTools protocol, with nothing but the standard library.

The browser talks over two pipes (``--remote-debugging-pipe``): JSON messages ended by a zero byte.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
NO_WEBGL = ("--disable-webgl", "--disable-webgl2", "--disable-3d-apis", "--disable-gpu")
SOFTWARE_WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")


class Page:
    """One tab: sends commands, keeps what it hears about requests, errors and dialogs."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._buffer, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []

    def attach(self) -> None:
        """Open a blank tab and listen to it."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log", "Security"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Run a command and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._from, 1 << 20)
            if not part:
                raise RuntimeError("the browser has gone")
            self._buffer += part
        text, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        return message

    def open(self, path: Path) -> None:
        """Load a file and wait until it has loaded and is drawn."""
        self.load(path)
        self.settle()

    def load(self, path: Path) -> None:
        """Load a file; works with scripts disabled, too."""
        self.send("Page.navigate", url=path.resolve().as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._read())

    def count(self, selector: str) -> int:
        """How many elements there are, without running a script."""
        root = self.send("DOM.getDocument", depth=0)["root"]["nodeId"]
        return len(self.send("DOM.querySelectorAll", nodeId=root, selector=selector)["nodeIds"])

    def settle(self) -> None:
        """Let two frames be drawn."""
        self.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")

    def run(self, script: str) -> Any:
        """Value of an expression in the page; a promise is waited for."""
        answer = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def drag(self, x: float, y: float, dx: float, dy: float) -> None:
        """Press, move in steps and release."""
        self._mouse("mouseMoved", x, y, 0)
        self._mouse("mousePressed", x, y, 1)
        for k in range(1, 9):
            self._mouse("mouseMoved", x + dx * k / 8, y + dy * k / 8, 1)
        self._mouse("mouseReleased", x + dx, y + dy, 0)
        self.settle()

    def _mouse(self, kind: str, x: float, y: float, buttons: int) -> None:
        button = "none" if kind == "mouseMoved" and not buttons else "left"
        self.send(
            "Input.dispatchMouseEvent",
            type=kind, x=x, y=y, button=button, buttons=buttons, clickCount=1,
        )  # fmt: skip

    def screenshot(self, clip: dict[str, float] | None = None) -> bytes:
        """PNG of the window, or of a part of the page."""
        options: dict[str, Any] = {"format": "png"}
        if clip:
            options |= {"clip": {**clip, "scale": 1}, "captureBeyondViewport": True}
        return base64.b64decode(self.send("Page.captureScreenshot", **options)["data"])

    def box(self, selector: str) -> dict[str, float]:
        """Place of an element in the window, px."""
        script = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()"
        found: dict[str, float] = self.run(script)
        return found

    def named(self, *methods: str) -> list[dict[str, Any]]:
        """Parameters of the events of these names so far."""
        return [e["params"] for e in self.events if e.get("method") in methods]

    def requests(self) -> list[str]:
        """Addresses asked for, besides the page itself and data within it."""
        found = [e["request"]["url"] for e in self.named("Network.requestWillBeSent")]
        return [url for url in found[1:] if not url.startswith("data:")]

    def complaints(self) -> list[str]:
        """Errors, warnings and dialogs of the page."""
        logged = [e["entry"] for e in self.named("Log.entryAdded")]
        said = [f"{e['level']}: {e['text']}" for e in logged]
        said += [
            f"{e['type']}: {e['args']}"
            for e in self.named("Runtime.consoleAPICalled")
            if e["type"] in ("error", "warning", "assert")
        ]
        said += [str(e["exceptionDetails"]) for e in self.named("Runtime.exceptionThrown")]
        return said + [
            f"dialog: {e['message']}" for e in self.named("Page.javascriptDialogOpening")
        ]


def _pipes_at_3_and_4(to_read: int, to_write: int) -> None:
    """Where a browser with ``--remote-debugging-pipe`` listens and answers."""
    copies = os.dup(to_read), os.dup(to_write)
    os.dup2(copies[0], 3)
    os.dup2(copies[1], 4)


@contextmanager
def browser(*flags: str, width: int = 1280, height: int = 900) -> Iterator[Page]:
    """A headless browser of its own with one blank tab; ended with the block."""
    assert CHROMIUM is not None
    out_read, out_write = os.pipe()
    in_read, in_write = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            CHROMIUM, "--headless=new", "--no-sandbox", "--remote-debugging-pipe",
            f"--user-data-dir={profile}", f"--window-size={width},{height}", "--hide-scrollbars",
            "--force-device-scale-factor=1", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", *flags,
        ]  # fmt: skip
        process = subprocess.Popen(
            command,
            preexec_fn=lambda: _pipes_at_3_and_4(out_read, in_write),
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(out_read)
        os.close(in_write)
        page = Page(out_write, in_read)
        try:
            page.attach()
            yield page
        finally:
            os.close(out_write)
            os.close(in_read)
            process.terminate()
            process.wait(timeout=30)
