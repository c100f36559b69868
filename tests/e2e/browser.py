"""A real browser: headless Chromium, as Debian packages it."""

import shutil
import subprocess
import tempfile


def find_chromium():
    """One that works: Ubuntu's package is but a hint at a snap."""
    for name in ("chromium", "chromium-browser"):
        path = shutil.which(name)
        if path and subprocess.run([path, "--version"], capture_output=True, check=False, stdin=subprocess.DEVNULL).stdout.startswith(b"Chromium"):
            return path
    return None


CHROMIUM = find_chromium()
LAPTOP, PHONE = (1280, 1500), (500, 1800)  # Chromium's windows are at least 500 wide


def png_size(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", path
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


class Browser:
    """Each page is loaded anew, in a profile that close() removes."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="limpet-chromium-")

    def close(self):
        shutil.rmtree(self.profile, ignore_errors=True)

    def run(self, url, *args, size=LAPTOP, dark=False, wait_ms=4000):
        argv = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
                "--disable-background-networking", f"--user-data-dir={self.profile}", f"--window-size={size[0]},{size[1]}",
                f"--virtual-time-budget={wait_ms}", f"--blink-settings=preferredColorScheme={0 if dark else 1}", *args, url]
        done = subprocess.run(argv, capture_output=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise AssertionError(f"chromium left with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout.decode()

    def screenshot(self, url, file, **options):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        self.run(url, f"--screenshot={file}", **options)
        return file
