"""The page of ``qcowspec report``, used as a person uses it, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Keys

from qcowspec.fuzzing import vectors
from tests.browser.chromium import Browser
from tests.browser.pages import Page, grid, pixel, point, report
from tests.command import run
from tools.make_test_data import DATA

SHOWCASE = DATA / "showcase.qcow2"
HOSTILE = (
    "</script><script>window.hit=1</script><img src=x onerror=window.hit=1><!-- script -->"
    "\u202e\u05d0"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def showcase(folder: Path) -> Page:
    """An image with snapshots, a bitmap, compressed clusters and a backing file."""
    return report(SHOWCASE, folder)


@pytest.fixture(scope="module")
def leaks(folder: Path) -> Page:
    return report(DATA / "v3-leaks.qcow2", folder)


def count(number: int) -> str:
    return f"{number:,}"


def kind_at(page: Page, kind: str) -> int:
    """The first byte of the file that is of a kind."""
    tiles, at = page.model["tiles"], 0
    for index, length in zip(tiles["kinds"], tiles["lengths"], strict=True):
        if page.catalogue["kinds"][index]["name"] == kind:
            return at
        at += length * tiles["unit"]
    raise AssertionError(kind)


# What it says


def test_it_says_what_is_wrong_at_a_glance(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    words = {"accept": "accepted", "reject": "rejected", "undecided": "undecided"}
    expected = [
        [one["profile"], one["says"], words[one["verdict"]]] for one in showcase.model["verdicts"]
    ]
    cards = browser.all("#verdicts .card")[:-1]  # the last is the check's
    shown = [
        [card.find_element("css selector", part).text for part in ("h3", "h3 + p", ".badge strong")]
        for card in cards
    ]
    assert shown == expected
    assert browser.text("h1") == showcase.model["file"]["name"]
    assert "Rejected by untrusted" in browser.text(".sentence")
    assert count(showcase.model["file"]["length"]) in browser.text(".about")


def test_the_check_has_a_card(browser: Browser, leaks: Page) -> None:
    browser.open(leaks.path)
    check = json.loads(run("check", "--output", "json", DATA / "v3-leaks.qcow2").stdout)
    assert check["leaks"] == 1
    assert "1 leak" in browser.text('.card[data-profile="check"]')
    assert "1 leaked cluster" in browser.text(".sentence")


def test_findings_facts_and_what_is_left_out_are_the_models(
    browser: Browser, showcase: Page
) -> None:
    browser.open(showcase.path)
    model = showcase.model
    found = model["findings"]
    assert browser.texts(".findings .jump") == [one["message"] for one in found]
    for item, one in zip(browser.texts(".findings > li"), found, strict=True):
        rule = showcase.catalogue["rules"][one["rule"]]
        for part in (one["rule"], rule["says"], rule["why"], rule["source"]):
            assert " ".join(part.split()) in item
    facts = zip(browser.texts("#facts dt"), browser.texts("#facts dd"), strict=True)
    assert [list(fact) for fact in facts] == [
        [" ".join(part.split()) for part in fact] for fact in model["facts"]
    ]
    if model["left_out"]:
        assert browser.texts("#left-out li") == model["left_out"]


def test_the_legend_has_the_numbers_of_usage(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    usage = json.loads(run("usage", "--json", "--deep", SHOWCASE).stdout)
    entries = browser.script(
        "return [...document.querySelectorAll('#file-legend .entry')]"
        ".map((one) => [one.dataset.kind, Number(one.dataset.bytes)])"
    )
    shown = dict(entries)
    assert sum(shown.values()) == showcase.model["file"]["length"] == usage["length"]
    assert shown == {kind: sums["bytes"] for kind, sums in showcase.model["kinds"].items()}


def test_the_disks_legend_follows_the_state(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    for state in showcase.model["disk"]["states"]:
        entries = browser.script(
            "return [...document.querySelectorAll('#disk-legend .entry')]"
            ".map((one) => [one.dataset.kind, Number(one.dataset.bytes)])"
        )
        assert dict(entries) == {kind: size for kind, size in state["sums"].items() if size}
        assert sum(size for _, size in entries) == state["size"]
        browser.script("document.getElementById('state').focus()")
        browser.keys(Keys.ARROW_RIGHT)


# The pictures


@pytest.mark.parametrize("layout", ["rows", "hilbert"])
def test_cells_have_the_colour_of_what_they_are(
    browser: Browser, showcase: Page, layout: str
) -> None:
    browser.open(showcase.path)
    browser.click(f"input[value={layout}]")
    size = grid(browser, "file").size
    kinds = {look["name"]: look for look in showcase.catalogue["kinds"]}
    tiles, at, looked = showcase.model["tiles"], 0, 0
    for index, length in zip(tiles["kinds"], tiles["lengths"], strict=True):
        name = showcase.catalogue["kinds"][index]["name"]
        middle, wide = at + length * tiles["unit"] // 2, length * tiles["unit"]
        at += wide
        if wide < 3 * size or kinds[name]["cavity"]:  # a cavity's cells are hatched
            continue
        assert pixel(browser, "file", middle) == showcase.colour(name)
        looked += 1
    assert looked > 5
    for name, start, wide, _ in showcase.disk_runs():
        assert pixel(browser, "disk", start + wide // 2) == showcase.colour(name)


def test_a_byte_of_the_file_is_joined_to_the_guests(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    runs = [run for run in showcase.disk_runs() if run[0] == "data" and run[3] >= 0]
    assert runs
    for _, start, wide, host in runs:
        for far in (0, wide // 2):
            point(browser, "file", host + far)
            text = browser.text(".readout")
            assert f"File {host + far:#x} " in text
            assert f"guest {start + far:#x}" in text
            assert len(browser.all(".lines circle")) == 1


def test_a_byte_of_the_disk_is_joined_to_the_file(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    for name, start, wide, host in showcase.disk_runs():
        point(browser, "disk", start)
        text = browser.text(".readout")
        assert f"Guest {start:#x} " in text
        assert f"{start:#x}\u2013{start + wide - 1:#x}" in text
        if name in ("data", "compressed"):
            assert f"file {host:#x}, " in text
            assert len(browser.all(".lines circle")) == 1


def test_the_lines_end_where_the_bytes_are(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    start, host = next((run[1], run[3]) for run in showcase.disk_runs() if run[0] == "data")
    point(browser, "disk", start)
    frame, dot = browser.script(
        "return ['#file-picture', '.lines circle'].map((one) => {"
        "const box = document.querySelector(one).getBoundingClientRect();"
        "return [box.left, box.top, box.width, box.height]})"
    )
    x, y = grid(browser, "file").place(host)
    assert dot[0] + dot[2] / 2 == pytest.approx(frame[0] + x * frame[2], abs=2)
    assert dot[1] + dot[3] / 2 == pytest.approx(frame[1] + y * frame[3], abs=2)


def test_a_click_keeps_the_cursor_and_a_second_lets_go(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    offset = kind_at(showcase, "refcount-table")
    point(browser, "file", offset)
    browser.script("window.scrollBy(0, 0)")
    spot = grid(browser, "file").place(offset)
    browser.press("#file-picture", *spot)
    browser.point("h1", 0.5, 0.5)
    assert f"File {offset:#x} " in browser.text(".readout")
    browser.press("#file-picture", *spot)
    browser.point("h1", 0.5, 0.5)
    assert "Nothing is pointed at" in browser.text(".readout")


def test_the_slider_shows_each_state_of_the_disk(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    states = showcase.model["disk"]["states"]
    assert len(states) == 3
    browser.script("document.getElementById('state').focus()")
    for index, state in enumerate(states):
        text = browser.text("#state-name")
        for part in (
            ("Active state",) if index == 0 else (state["id"], state["name"], state["date"])
        ):
            assert part in text
        for name, start, wide, _ in showcase.disk_runs(index):
            assert pixel(browser, "disk", start + wide // 2) == showcase.colour(name)
        browser.keys(Keys.ARROW_RIGHT)


def test_a_legend_entry_shows_its_cells_alone(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    data, other = kind_at(showcase, "data"), kind_at(showcase, "refcount-table")
    entry = '#file-legend [data-kind="data"]'
    browser.click(entry)
    assert browser.one(entry).get_attribute("aria-pressed") == "true"
    assert pixel(browser, "file", data + 4096) == showcase.colour("data")
    assert pixel(browser, "file", other + 4096) != showcase.colour("refcount-table")
    browser.click(entry)
    assert browser.one(entry).get_attribute("aria-pressed") == "false"
    assert pixel(browser, "file", other + 4096) == showcase.colour("refcount-table")


# The keyboard, and what is read out


def test_the_pictures_are_walked_with_the_keyboard(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    browser.script("document.getElementById('file-picture').focus()")
    size, columns = grid(browser, "file").size, grid(browser, "file").columns

    def live() -> str:
        return browser.text("#live")

    browser.keys(Keys.HOME)
    assert live().startswith("File 0x0 Header a run of 112 bytes")
    browser.keys(Keys.ARROW_RIGHT)
    assert live().startswith(f"File {size:#x} ")
    browser.keys(Keys.ARROW_DOWN)
    assert live().startswith(f"File {(columns + 1) * size:#x} ")
    browser.keys(Keys.HOME, *"nnnnnnnn")
    starts = {int(found, 16) for found in re.findall(r"File (0x[0-9a-f]+)", live())}
    assert len(starts) == 1
    assert starts <= {sum(showcase.model["tiles"]["lengths"][:run]) for run in range(40)}
    browser.keys(Keys.ESCAPE)
    assert "Nothing is pointed at" in browser.text(".readout")


def test_enter_in_a_picture_shows_the_structure(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    browser.script("document.getElementById('file-picture').focus()")
    browser.keys(Keys.HOME, Keys.ENTER)
    assert browser.script("return document.activeElement.getAttribute('role')") == "treeitem"
    assert browser.text("#detail h3") == "magic"


def test_the_tab_key_visits_the_page_in_order(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    seen: list[str] = []
    for _ in range(80):
        browser.keys(Keys.TAB)
        name = browser.script(
            "const at = document.activeElement;"
            "return at.id || at.className || at.getAttribute('role') || at.name || at.tagName"
        )
        if seen and name == seen[0]:
            break
        seen.append(name)
    order = ["theme", "jump", "layout", "file-picture", "state", "disk-picture", "search"]
    assert [name for name in seen if name in order] == order
    assert seen.count("treeitem") + seen.count("row") + seen.count("tree") <= 1


def test_everything_that_takes_the_focus_has_a_name(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    browser.command("Accessibility.enable")
    nodes = browser.command("Accessibility.getFullAXTree")["nodes"]
    browser.command("Accessibility.disable")

    def property_of(node: dict[str, Any], name: str) -> object:
        return next(
            (p["value"]["value"] for p in node.get("properties", []) if p["name"] == name), None
        )

    focusable = [
        node
        for node in nodes
        if not node["ignored"]
        and property_of(node, "focusable")
        and node["role"]["value"] != "RootWebArea"
    ]
    assert len(focusable) > 20
    assert [node for node in focusable if not node.get("name", {}).get("value")] == []


def test_the_runs_of_a_picture_are_a_table_too(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    browser.click("#file-side .folded summary")
    browser.wait(lambda: browser.all("#file-side table"))
    tiles = showcase.model["tiles"]
    rows = browser.texts("#file-side tbody tr td:nth-child(2)")
    assert rows == [count(length * tiles["unit"]) for length in tiles["lengths"]]


# The structures


def test_a_finding_leads_to_its_structure_and_its_bytes(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    (found,) = showcase.model["findings"]
    browser.click(".findings .jump")
    assert browser.text("#detail h3") == found["field"].split(".")[-1]
    assert browser.text('[role="treeitem"][aria-selected="true"] .name') == browser.text(
        "#detail h3"
    )
    assert f"File {found['offset']:#x} " in browser.text(".readout")
    with SHOWCASE.open("rb") as file:
        file.seek(found["offset"])
        assert "".join(browser.texts("#detail .pairs mark")) == file.read(8).hex()
    assert len(browser.all(".pins .pin.current")) == 1


def test_a_pin_leads_to_its_finding(browser: Browser, leaks: Page) -> None:
    browser.open(leaks.path)
    browser.click(".pins .pin")
    assert browser.script("return document.activeElement.className") == "jump"


def test_the_tree_is_one_stop_and_opens_with_arrows(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    names = [node["name"] for node in showcase.model["structures"]]
    assert browser.texts("#tree > li > .row .name") == names
    assert len(browser.all('#tree [tabindex="0"]')) == 1
    assert len(browser.all("#tree [role=group]")) == 0  # made when it is opened
    browser.script("document.querySelector('#tree [tabindex=\"0\"]').focus()")
    browser.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    fields = showcase.model["structures"][0]["fields"]
    assert browser.text("#detail h3") == fields[1]["name"] == "version"
    browser.keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert browser.one("#tree > li").get_attribute("aria-expanded") == "false"
    browser.keys(Keys.END)
    assert browser.text("#detail h3") == names[-1]


def test_the_search_finds_names_meanings_and_offsets(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    for wanted, found in [("l1_table_off", "l1_table_offset"), ("0x14", "cluster_bits")]:
        browser.click("#search")
        browser.keys(wanted, Keys.ENTER)
        assert browser.text("#detail h3") == found


# Colours, paper, sizes


def test_dark_and_light(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    data = kind_at(showcase, "data") + 4096
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = browser.script(ground)
    browser.media(scheme="dark")
    browser.wait(lambda: pixel(browser, "file", data) == showcase.colour("data", "dark"))
    dark = browser.script(ground)
    assert dark != light
    browser.click("#theme")
    assert (browser.script(ground), pixel(browser, "file", data)) == (
        light,
        showcase.colour("data"),
    )
    browser.click("#theme")
    assert browser.script(ground) == dark


def test_it_prints_light_with_pictures_findings_and_facts(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    browser.media(scheme="dark")
    browser.click(".findings .jump")  # opens the tree
    browser.media("print", "dark")
    data = kind_at(showcase, "data") + 4096
    browser.wait(lambda: pixel(browser, "file", data) == showcase.colour("data"))
    shown = {
        name: browser.one(name).is_displayed()
        for name in ("#findings", "#facts", "#file-picture", "#tree > li", "#tree ul", ".readout")
    }
    assert shown == {
        "#findings": True,
        "#facts": True,
        "#file-picture": True,
        "#tree > li": True,
        "#tree ul": False,
        ".readout": False,
    }
    ink = browser.script("return getComputedStyle(document.body).color")
    assert sum(int(part) for part in re.findall(r"\d+", ink)[:3]) < 200


@pytest.mark.parametrize("width", [320, 768, 1400, 3840])
def test_nothing_is_wider_than_the_window(browser: Browser, showcase: Page, width: int) -> None:
    browser.open(showcase.path, width=width)
    assert browser.script("return document.documentElement.scrollWidth") <= width
    sides = browser.script(
        "return ['file', 'disk'].map((one) =>"
        "document.getElementById(one + '-picture').getBoundingClientRect().left)"
    )
    assert (sides[0] < sides[1]) == (width > 700)  # side by side, or one below the other


# Hostile images, and what a page may do


def test_hostile_names_are_text(browser: Browser, folder: Path) -> None:
    spec, image = folder / "spec.yaml", folder / "hostile.qcow2"
    spec.write_text(
        json.dumps(
            {
                "size": "1M",
                "writes": [{"at": 0, "text": "hello"}],
                "snapshots": [{"name": HOSTILE}],
                "backing_name": HOSTILE,
            }
        )
    )
    assert run("build", spec, "-o", image).returncode == 0
    page = report(image, folder)
    browser.open(page.path)
    browser.script("document.getElementById('state').focus()")
    browser.keys(Keys.ARROW_RIGHT)
    assert "<script>window.hit=1</script>" in browser.text("#state-name")
    assert browser.script("return window.hit") is None
    assert len(browser.all("script")) == 3
    assert browser.all("img") == []
    assert "\u202e" not in browser.text("main")
    assert len(browser.all("#state-name bdi")) == 2


def test_a_page_of_65536_snapshots_has_some_and_says_how_many_not(
    browser: Browser, folder: Path
) -> None:
    most = next(each for each in vectors.everything() if each.id == "snapshots/count/65536")
    image = folder / "most.qcow2"
    image.write_bytes(vectors.image(most))
    page = report(image, folder)
    assert page.path.stat().st_size < 500_000
    browser.open(page.path)
    states = page.model["disk"]["states"]
    left = page.model["disk"]["states_left"]
    assert len(states) + left == 65537
    assert f"{count(left)} more states not in this page" in browser.text("#state-name")
    browser.script("document.getElementById('state').focus()")
    browser.keys(Keys.END)
    assert f"{len(states)} of {len(states)}" in browser.text("#state-name")
    assert count(page.model["findings_left"]) in browser.text("#findings > p")


def test_a_page_of_a_tebibyte_is_small_and_shows_its_few_bytes(
    browser: Browser, folder: Path
) -> None:
    page = report(DATA / "v3-1tib.qcow2", folder)
    assert page.path.stat().st_size < 500_000
    browser.open(page.path)
    runs = [run for run in page.disk_runs() if run[0] == "data"]
    assert runs
    for _, start, _, host in runs:
        assert pixel(browser, "disk", start) == page.colour("data")
        point(browser, "disk", start)
        assert f"file {host:#x}, " in browser.text(".readout")


def test_the_policy_forbids_requests(chromium: Browser, showcase: Page) -> None:
    chromium.open(showcase.path)
    policy = chromium.script(
        "return document.querySelector('meta[http-equiv=Content-Security-Policy]').content"
    )
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    chromium.driver.set_script_timeout(10)
    answer = chromium.driver.execute_async_script(
        "const done = arguments[0];"
        "const say = (event) => done(event.effectiveDirective);"
        "document.addEventListener('securitypolicyviolation', say);"
        "fetch('data:text/plain,hello').catch(() => {});"
    )
    assert answer == "connect-src"
    chromium.script(
        "const script = document.createElement('script');"
        "script.textContent = 'window.hit = 1'; document.body.append(script);"
    )
    assert chromium.script("return window.hit") is None
    assert any("Content Security Policy" in line for line in chromium.errors())


def test_many_findings_are_listed_as_they_are_asked_for(browser: Browser, leaks: Page) -> None:
    browser.open(leaks.path)
    browser.script(
        "const block = (id) => JSON.parse(document.getElementById(id).textContent);"
        "const model = block('model');"
        "const one = model.findings.find((found) => found.offset !== null);"
        "model.findings = Array.from({length: 120}, (_, at) => ({...one, offset: 8 * at}));"
        "showPage(block('catalogue'), model, document.getElementById('page'));"
    )
    listed = "#findings .findings > li"
    assert len(browser.all(listed)) == 10
    browser.click("#findings > button")
    assert len(browser.all(listed)) == 60
    browser.script("document.querySelectorAll('.pins .pin')[77].click()")
    assert browser.script("return document.activeElement.closest('li').id") == "finding-78"
    browser.click("#finding-3 .jump")
    assert browser.texts(".pins .current") == ["3"]


def test_a_page_can_be_shown_again_and_leaves_nothing(browser: Browser, showcase: Page) -> None:
    browser.open(showcase.path)
    again = (
        "const block = (id) => JSON.parse(document.getElementById(id).textContent);"
        "for (let time = 0; time < arguments[0]; time += 1)"
        " showPage(block('catalogue'), block('model'), document.getElementById('page'));"
    )

    def listeners() -> int:
        total = 0
        for target in ("window", "document", "document.documentElement"):
            found = browser.command("Runtime.evaluate", {"expression": target})["result"][
                "objectId"
            ]
            answer = browser.command("DOMDebugger.getEventListeners", {"objectId": found})
            total += len(answer["listeners"])
        return total

    def held() -> int:
        for _ in range(2):
            browser.command("HeapProfiler.collectGarbage")
        metrics = browser.command("Performance.getMetrics")["metrics"]
        return int(next(one["value"] for one in metrics if one["name"] == "JSEventListeners"))

    browser.command("Performance.enable")
    browser.script(again, 1)
    before = listeners(), held()
    browser.script(again, 8)
    assert (listeners(), held()) == before
    assert len(browser.all("h1")) == 1
    point(browser, "file", 0)
    assert browser.text(".readout").startswith("File 0x0 ")
