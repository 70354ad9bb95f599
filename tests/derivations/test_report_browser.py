"""The real page in a real browser: it is not blank, says everything, and fits a phone."""

import re
import shutil
import struct
import subprocess
import zlib

import pytest

from derivations.render import html, render

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="needs Chromium; the page is parsed elsewhere"
)

# Measures the page from outside, because the page itself has no script.
HARNESS = """<!doctype html><title>waiting</title>
<iframe id="page" src="report.html" style="width:{width}px;height:3000px;border:0"></iframe>
<script>
document.getElementById("page").onload = async function () {{
  const page = this.contentDocument;
  await page.fonts.ready;
  const math = page.querySelector("math");
  const font = page.fonts.check('16px "Report Math"') && [...page.fonts].some(f => f.status == "loaded");
  document.title = "done";
  document.body.dataset.width = page.documentElement.scrollWidth;
  document.body.dataset.height = page.documentElement.scrollHeight;
  document.body.dataset.font = font;
  document.body.dataset.math = math.getBoundingClientRect().height;
}};
</script>"""


@pytest.fixture(scope="module")
def folder(full_report, tmp_path_factory):
    path = tmp_path_factory.mktemp("page")
    (path / "report.html").write_text(render(full_report, "html"), encoding="utf-8")
    return path


def chromium(folder, *arguments: str) -> str:
    run = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--allow-file-access-from-files",
            "--virtual-time-budget=5000",
            f"--user-data-dir={folder / 'profile'}",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return run.stdout


def scanlines(png: bytes) -> list[bytes]:
    """The rows of a PNG, filtered as stored: equal where the picture is blank."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, data, width, height = 8, b"", 0, 0
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
        elif kind == b"IDAT":
            data += body
        at += 12 + length
    raw = zlib.decompress(data)
    stride = len(raw) // height
    assert stride > width
    return [raw[k : k + stride] for k in range(0, len(raw), stride)]


def screenshot(folder, name: str, page: str) -> list[bytes]:
    chromium(folder, "--window-size=1000,1400", f"--screenshot={folder / name}", page)
    return scanlines((folder / name).read_bytes())


def test_the_page_is_not_blank(folder) -> None:
    shown = screenshot(folder, "report.png", (folder / "report.html").as_uri())
    assert len(set(shown)) > 200
    assert len(set(screenshot(folder, "blank.png", "about:blank"))) < 5


def test_the_browser_sees_every_claim(folder, full_report) -> None:
    dom = chromium(folder, "--dump-dom", (folder / "report.html").as_uri())
    for c in full_report.claims:
        assert f'<article id="{c.claim.id}"' in dom
    assert dom.count("<math") > 300
    assert "<parsererror" not in dom


def test_end_tags_left_out_change_nothing(folder, full_report, monkeypatch) -> None:
    short = chromium(folder, "--dump-dom", (folder / "report.html").as_uri())
    monkeypatch.setattr(html, "IMPLIED", re.compile("(?!)"))
    (folder / "full.html").write_text(render(full_report, "html"), encoding="utf-8")
    assert chromium(folder, "--dump-dom", (folder / "full.html").as_uri()) == short
    assert (folder / "full.html").stat().st_size > (folder / "report.html").stat().st_size


@pytest.mark.parametrize("width", [360, 1100])
def test_the_page_fits_its_window_and_has_its_font(folder, width) -> None:
    harness = folder / f"harness{width}.html"
    harness.write_text(HARNESS.format(width=width), encoding="utf-8")
    dom = chromium(folder, "--window-size=1400,900", "--dump-dom", harness.as_uri())
    assert "<title>done</title>" in dom
    measured = dict(re.findall(r'data-(\w+)="([^"]*)"', dom))
    assert float(measured["width"]) <= width
    assert float(measured["height"]) > 10_000
    assert measured["font"] == "true"
    assert float(measured["math"]) > 20
