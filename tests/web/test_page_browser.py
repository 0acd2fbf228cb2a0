"""The status page in a real Chromium: what people see and do, with JavaScript and without."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.support.builders import HOUR, NOON
from tests.support.harness import Program
from tests.support.status_fixtures import DAILY, Exhibit, begun, ended, index, shown, stories
from tests.support.status_site import hostile, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.support.status_site import Served

HOSTILE_ID = "src0090".ljust(36, "0")
MANY = 2500
ALL = len(stories()) + 1  # on one page

# The contrast of every text with what is behind it, by WCAG 2.2; gives those that have too little.
CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const linear = (c) => c <= 10 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgb(getComputedStyle(each).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const text = texts.currentNode.textContent.trim();
    if (!text || !element.checkVisibility() || element.closest("script, style, svg")) continue;
    const style = getComputedStyle(element);
    const [one, other] = [light(rgb(style.color)), light(ground(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${element.className}: ${text.slice(0, 30)}`);
  }
  return poor;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start one Chromium for all."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Serve the stories, one of them hostile."""
    with serving(Exhibit.of([*stories(), hostile()], [index(1, "full", documents=19_000), index(2, "roomy")])) as site:
        yield site


@contextmanager
def opened(browser: Browser, site: Served, path: str = "/", **options: Any) -> Iterator[Page]:
    """Open a page; in the end, nothing may have been said on the console: policy violations are."""
    context = browser.new_context(base_url="http://{}:{}".format(*site.address), **options)
    page = context.new_page()
    page.set_default_timeout(10_000)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    try:
        page.clock.install(time=NOON)
        page.goto(path)
        yield page
        assert said == []
    finally:
        context.close()


def names(page: Page) -> list[str]:
    """Give the data sources that are seen, in their order."""
    return page.locator("#sources h3").all_inner_texts()


def test_problems_are_seen_first_and_with_their_errors(browser: Browser, served: Served) -> None:
    """The verdict on top, then the worst, each with what is wrong in words."""
    with opened(browser, served) as page:
        wrong = served.json()["summary"]["problem"]
        assert page.title() == f"{wrong} of {ALL} need attention · qbusiness-exporter"
        assert page.locator("h1").inner_text() == f"{wrong} of {ALL} data sources need attention"
        first = page.locator("#sources li.source").first
        assert "critical" in (first.get_attribute("class") or "")
        assert page.locator("#sources").get_by_text("The last 3 syncs failed.").first.is_visible()
        critical = page.locator("li.source.critical").count()
        assert page.locator("#in-critical b").inner_text() == str(critical)
        classes = [
            each.split()[1] for each in page.locator("li.source").evaluate_all("all => all.map(e => e.className)")
        ]
        order = ["critical", "warning", "info", "waiting", "ok"]
        assert classes == sorted(classes, key=order.index)


def test_bars_tell_status_by_shape_and_words_too(browser: Browser, served: Served) -> None:
    """Who cannot tell red from green has crosses below the bars, titles on them, and a sentence in their place."""
    with opened(browser, served, "/?q=failed-once") as page:
        chart = page.locator("li.source svg.chart")
        assert chart.get_attribute("role") == "img"
        assert chart.get_attribute("aria-label") == "The last 2 runs, newest on the right: SUCCEEDED, FAILED"
        assert chart.locator("g.bad path").count() == 1
        assert chart.locator("g.bad title").text_content() == "FAILED, 10 min, 2026-09-21 13:03:20 UTC"
        heights = chart.locator("g rect").evaluate_all("all => all.map(e => +e.getAttribute('height'))")
        assert heights == [32, 32]


def test_filters_act_as_one_types_without_loading_the_page_anew(browser: Browser, served: Served) -> None:
    """The list narrows, the address follows, and the way back is the browser's own."""
    with opened(browser, served) as page:
        page.evaluate("window.same = true")
        page.get_by_label("Search").press_sequentially("never-synced")
        page.clock.run_for(200)
        expect(page.locator("#count")).to_contain_text(f"3 of {ALL} shown")
        assert sorted(names(page)) == ["never-synced", "never-synced-and-new", "never-synced-on-demand"]
        assert page.url.endswith("/?q=never-synced")
        assert page.get_by_label("Search").evaluate("e => e === document.activeElement")
        page.locator("select[name=state]").select_option("Warning")
        page.clock.run_for(200)
        expect(page.locator("#count")).to_contain_text(f"1 of {ALL} shown")
        page.locator("#clear").click()
        expect(page.locator("#sources li.source")).to_have_count(ALL)
        assert page.get_by_label("Search").input_value() == ""
        page.locator("#in-critical").click()
        expect(page.locator("#in-critical")).to_have_attribute("aria-current", "true")
        assert page.locator("select[name=state]").input_value() == "critical"
        page.go_back()
        expect(page.locator("#sources li.source")).to_have_count(ALL)
        assert page.evaluate("window.same") is True
        page.get_by_label("Search").fill("no such thing")
        page.clock.run_for(200)
        expect(page.locator("#sources")).to_contain_text("No data source matches the filters")


def test_links_within_the_page_and_to_one_source_do_what_they_say(browser: Browser, served: Served) -> None:
    """A name unfolds its data source alone, and the way back has all of them; what was folded up again stays so."""
    with opened(browser, served) as page:
        page.get_by_role("link", name="1 index needs attention").click()
        assert page.url.endswith("/#indexes")
        page.get_by_role("link", name="stale", exact=True).click()
        expect(page.locator("#sources li.source")).to_have_count(1)
        assert page.get_by_role("heading", name="Identity").is_visible()
        expect(page.locator("#sources")).to_be_in_viewport()
        page.locator("summary").click()
        with page.expect_response("**"):
            page.clock.run_for(16_000)
        expect(page.locator("details")).not_to_have_attribute("open", "")
        page.go_back()
        expect(page.locator("#sources li.source")).to_have_count(ALL)


def test_filters_work_without_javascript(browser: Browser, served: Served) -> None:
    """The form and the links lead to the same lists."""
    with opened(browser, served, java_script_enabled=False) as page:
        assert not page.locator("#refreshing").is_visible()
        page.get_by_label("Search").fill("never-synced")
        page.locator("select[name=state]").select_option("Warning")
        page.get_by_role("button", name="Apply").click()
        assert names(page) == ["never-synced"]
        assert page.get_by_label("Search").input_value() == "never-synced"
        page.locator("#all").click()
        assert len(names(page)) == 3
        page.locator("#clear").click()
        page.locator("#in-stale").click()
        assert sorted(names(page)) == [
            "never-polled",
            "overdue-as-far-as-seen",
            "restarted",
            "stale",
            "stale-and-failed",
        ]
        page.get_by_role("link", name="stale", exact=True).click()
        assert names(page) == ["stale"]
        assert page.locator("details[open]").count() == 1


def test_a_large_organisation_is_paged_and_searched_as_a_whole(browser: Browser) -> None:
    """2,500 data sources: what is wrong is on the first page, and what is searched is found wherever it is."""
    fine = ended("SUCCEEDED", HOUR, scanned=5)
    many = [shown(n, f"share-{n:04}", fine, schedule=DAILY if n % 2 else "") for n in range(MANY)]
    many[2345] = shown(2345, "share-2345", *(ended("FAILED", n * HOUR, n) for n in (1, 2, 3)))
    with serving(Exhibit.of(many)) as site, opened(browser, site) as page:
        assert names(page)[:2] == ["share-2345", "share-0000"]
        assert len(names(page)) == 50
        assert page.get_by_text("Page 1 of 50").is_visible()
        page.get_by_role("link", name="Next").click()
        expect(page.get_by_text("Page 2 of 50")).to_be_visible()
        assert names(page)[0] == "share-0049"
        page.get_by_label("Search").fill("share-2222")
        page.clock.run_for(200)
        expect(page.locator("#count")).to_contain_text("1 of 2\u202f500 shown")
        assert names(page) == ["share-2222"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_light_and_in_dark(browser: Browser, served: Served, scheme: str) -> None:
    """The page follows what the system prefers, and no text has less contrast than WCAG's AA asks for."""
    with opened(browser, served, f"/?data_source_id={HOSTILE_ID}", color_scheme=scheme) as page:
        grounds = [
            int(each) for each in re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
        ]
        assert all(each > 200 for each in grounds) if scheme == "light" else all(each < 60 for each in grounds)
        assert page.evaluate(CONTRAST) == []
        page.goto("/")
        assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [360, 768, 1024, 1440])
def test_nothing_is_wider_than_the_screen(browser: Browser, served: Served, width: int) -> None:
    """Down to a small phone, with everything unfolded, hostile texts and 36 characters of id included."""
    with opened(browser, served, viewport={"width": width, "height": 740}) as page:
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        wide = (
            "all => all.filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll')).length"
        )
        assert page.locator("body *").evaluate_all(wide) == 0


def test_everything_can_be_done_by_keyboard(browser: Browser, served: Served) -> None:
    """What has the focus is seen to have it and has a name; the first stop leads past the rest."""
    with opened(browser, served, "/?q=failed-once") as page:
        page.keyboard.press("Tab")
        focus = page.locator(":focus")
        assert focus.inner_text() == "Skip to the data sources"
        assert (focus.bounding_box() or {"x": -1})["x"] >= 0
        stops = []
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement === document.body"):
                break
            assert focus.evaluate("e => parseFloat(getComputedStyle(e).outlineWidth)") >= 1
            stops.append(focus.evaluate("e => e.labels?.[0]?.innerText || e.getAttribute('aria-label') || e.innerText"))
            if stops[-1].startswith("Details"):
                page.keyboard.press("Enter")
        assert "" not in stops
        wanted = [
            "Metrics",
            "Search",
            "Application",
            "Type",
            "State",
            "failed-once",
            "Details",
            "Runs of failed-once",
        ]
        found = [next(stop for stop in stops if stop.split("\n")[0] == name) for name in wanted]
        assert [stops.index(stop) for stop in found] == sorted(stops.index(stop) for stop in found)
        assert page.get_by_role("heading", name="Last error").count() == 0
        assert page.get_by_role("heading", name="Runs").is_visible()


def test_landmarks_and_headings_lead_through_the_page(browser: Browser, served: Served) -> None:
    """A screen reader finds the search, the lists and the navigation by name; ids are unique."""
    with opened(browser, served) as page:
        for role, name in (("search", "Data sources"), ("navigation", "By state"), ("region", "Data sources")):
            assert page.get_by_role(role, name=name, exact=True).count() == 1  # type: ignore[arg-type] # each is one
        assert page.get_by_role("main").count() == 1
        assert page.locator("h1").count() == 1
        assert page.locator("html").get_attribute("lang") == "en"
        ids = page.locator("[id]").evaluate_all("all => all.map(e => e.id)")
        assert len(ids) == len(set(ids))


def test_hostile_text_is_inert(browser: Browser, served: Served) -> None:
    """It is seen as it came and runs nothing; and if it got through, the policy would not let it."""
    with opened(browser, served, f"/?data_source_id={HOSTILE_ID}") as page:
        error = page.locator("pre.error:visible")
        assert "<script>document.title='pwned'</script>" in error.inner_text()
        assert "\u27e8U+202E\u27e9gnp.exe" in error.inner_text()
        assert page.locator("main img, main script, main svg[onload]").count() == 0
        assert "pwned" not in page.title()


def test_the_policy_would_stop_a_script_that_got_through(browser: Browser, served: Served) -> None:
    """Escaping is not the only thing in the way."""
    page = browser.new_page(base_url="http://{}:{}".format(*served.address))
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto("/")
    page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "document.title = 'pwned'";
        document.body.append(script);
    }""")
    assert "pwned" not in page.title()
    assert "violates the following Content Security Policy" in said[0]
    page.close()


def test_the_page_keeps_itself_up_to_date_and_leaves_people_alone(browser: Browser) -> None:
    """What changes is seen without a hand; what is unfolded or focused stays so; an exporter that is gone is said."""
    before = shown(1, "hr", ended("SUCCEEDED", HOUR, scanned=5))
    with serving(Exhibit.of([before])) as site:
        context = browser.new_context(base_url="http://{}:{}".format(*site.address))
        page = context.new_page()
        page.clock.install(time=NOON)
        page.goto("/")
        page.locator("summary").press("Enter")
        site.exhibit.show(shown(1, "hr", ended("SUCCEEDED", HOUR, scanned=5), begun(60)))
        page.clock.run_for(16_000)
        expect(page.locator("li.source")).to_contain_text("SYNCING")
        expect(page.locator("details")).to_have_attribute("open", "")
        assert page.locator("summary").evaluate("e => e === document.activeElement")
        site.exhibit.show(before)
        page.get_by_label("Refresh").uncheck()
        with page.expect_request("**") as asked:  # the reader's own
            page.clock.run_for(60_000)
            page.locator("#in-ok").click()
        assert asked.value.url.endswith("?state=ok")
        expect(page.locator("li.source")).not_to_contain_text("SYNCING")
        page.get_by_label("Refresh").check()
        context.set_offline(True)
        page.clock.run_for(16_000)
        expect(page.locator("#offline")).to_have_text(
            "The exporter does not respond. This page is as of 2026-09-21 14:13:20 UTC."
        )
        context.set_offline(False)
        page.clock.run_for(16_000)
        expect(page.locator("#offline")).to_be_hidden()
        context.close()


def test_the_demo_is_drawn(browser: Browser) -> None:
    """The running program, with what boto3 answered; the page asks for nothing that its policy does not allow."""
    with Program(["demo"]) as program:
        program.until_ready()
        page = browser.new_page(base_url="http://{}:{}".format(*program.address))
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto("/")
        expect(page.locator("h1")).to_contain_text("of 12 data sources need attention")
        assert page.locator("li.source").count() == 12
        assert page.get_by_text("CNF-5572 Authentication failed").first.is_visible()
        for name in ("Metrics", "JSON", "Healthy", "Ready"):
            link = page.get_by_role("link", name=name, exact=True).get_attribute("href") or ""
            assert program.get(link.removeprefix("."))[0] == 200
        own = "http://{}:{}/".format(*program.address)
        assert all(url.startswith((own, "data:")) for url in requests)
        assert said == []
        page.close()


def test_a_stale_source_is_flagged_in_words(browser: Browser) -> None:
    """Old data does not look like news."""
    old = replace(shown(1, "hr", ended("SUCCEEDED", HOUR, scanned=5), polled=60), poll_succeeded=False)
    with serving(Exhibit.of([old])) as site, opened(browser, site) as page:
        assert page.locator(".fresh").inner_text().split() == ["Polled", "1", "min", "ago", "last", "poll", "failed"]
        assert page.locator("h1").inner_text() == "No known problems"
        assert page.get_by_text("1 stale", exact=True).is_visible()
