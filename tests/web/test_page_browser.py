"""The status page in a real Chromium, with and without JavaScript."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from playwright.sync_api import expect, sync_playwright

from exporter.domain.units import HOUR
from exporter.web.page import DEFAULT_PAGE_SIZE
from exporter.web.public_address import PublicAddress
from tests.support.builders import NOON
from tests.support.harness import TIMEOUT, Program, eventually
from tests.support.status_fixtures import (
    DAILY,
    HEALTH,
    StatusFixture,
    ended_job,
    example_sources,
    make_container_snapshot,
    make_snapshot,
    running_job,
)
from tests.support.status_site import hostile_source, serve_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from tests.support.status_site import StatusSite

HOSTILE_ID = "src0090".ljust(36, "0")
MANY = 2500
ALL = len(example_sources()) + 1
ON_PAGE = min(ALL, DEFAULT_PAGE_SIZE)

# Returns the texts whose contrast with their background is too low by WCAG 2.2.
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
    """Start one Chromium for all tests. Expectations wait for a busy machine."""
    expect.set_options(timeout=1000 * TIMEOUT)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def served() -> Iterator[StatusSite]:
    """Serve the example sources and a hostile one."""
    with serve_status(
        StatusFixture.of(
            [*example_sources(), hostile_source()],
            [make_container_snapshot(1, "full", documents=19_000), make_container_snapshot(2, "roomy")],
        )
    ) as site:
        yield site


@contextmanager
def opened(browser: Browser, site: StatusSite, path: str = "/", **options: Any) -> Iterator[Page]:
    """Yield an open page; at the end, its console must be empty. Policy violations are logged there."""
    context = browser.new_context(base_url="http://{}:{}".format(*site.address), **options)
    page = context.new_page()
    page.set_default_timeout(1000 * TIMEOUT)
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    try:
        page.clock.install(time=NOON)
        page.goto(path)
        yield page
        assert messages == []
    finally:
        context.close()


def names(page: Page) -> list[str]:
    """Return the names of the data sources on the page, in their order."""
    return page.locator("#sources h3").all_inner_texts()


def expect_names(page: Page, expected: list[str]) -> None:
    """Wait until the page shows exactly these data sources, because a click returns before the next page is there."""
    expect(page.locator("#sources h3")).to_have_text(expected)


def ending(path: str) -> re.Pattern[str]:
    """Return a pattern for addresses that end with a path."""
    return re.compile(re.escape(path) + "$")


def test_problems_are_first_with_their_errors(browser: Browser, served: StatusSite) -> None:
    """The headline is followed by the sources, the most severe first, with the texts of their problems."""
    with opened(browser, served) as page:
        wrong = served.json()["summary"]["problem"]
        assert page.title() == f"{wrong} of {ALL} need attention · qbusiness-exporter"
        expect(page.locator("h1")).to_have_text(f"{wrong} of {ALL} data sources need attention")
        first = page.locator("#sources li.source").first
        assert "critical" in (first.get_attribute("class") or "")
        expect(page.locator("#sources").get_by_text("The last 3 syncs failed.").first).to_be_visible()
        critical = page.locator("li.source.critical").count()
        expect(page.locator("#in-critical b")).to_have_text(str(critical))
        classes = [
            each.split()[1] for each in page.locator("li.source").evaluate_all("all => all.map(e => e.className)")
        ]
        order = ["critical", "warning", "info", "waiting", "unwatched", "ok"]
        assert classes == sorted(classes, key=order.index)


def test_bars_show_the_status_by_shape_and_text(browser: Browser, served: StatusSite) -> None:
    """Readers who cannot distinguish colours have crosses below the bars, titles, and a label with all statuses."""
    with opened(browser, served, "/?q=failed-once") as page:
        chart = page.locator("li.source svg.chart")
        assert chart.get_attribute("role") == "img"
        assert chart.get_attribute("aria-label") == "The last 2 runs, newest on the right: SUCCEEDED, FAILED"
        expect(chart.locator("g.bad path")).to_have_count(1)
        assert chart.locator("g.bad title").text_content() == "FAILED, 10 min, 2026-09-21 13:03:20 UTC"
        heights = chart.locator("g rect").evaluate_all("all => all.map(e => +e.getAttribute('height'))")
        assert heights == [32, 32]


def test_filters_apply_during_typing_without_a_page_load(browser: Browser, served: StatusSite) -> None:
    """The address changes with the list, and the back button returns to the previous list."""
    with opened(browser, served) as page:
        page.evaluate("window.same = true")
        page.get_by_label("Search").press_sequentially("never-synced")
        page.clock.run_for(200)
        expect(page.locator("#count")).to_contain_text(f"3 of {ALL} shown")
        assert sorted(names(page)) == ["never-synced", "never-synced-and-new", "never-synced-on-demand"]
        expect(page).to_have_url(ending("/?q=never-synced"))
        assert page.get_by_label("Search").evaluate("e => e === document.activeElement")
        page.locator("select[name=state]").select_option("Warning")
        page.clock.run_for(200)
        expect(page.locator("#count")).to_contain_text(f"1 of {ALL} shown")
        page.locator("#clear").click()
        expect(page.locator("#sources li.source")).to_have_count(ON_PAGE)
        expect(page.get_by_label("Search")).to_have_value("")
        page.locator("#in-critical").click()
        expect(page.locator("#in-critical")).to_have_attribute("aria-current", "true")
        expect(page.locator("select[name=state]")).to_have_value("critical")
        page.go_back()
        expect(page.locator("#sources li.source")).to_have_count(ON_PAGE)
        assert page.evaluate("window.same") is True
        page.get_by_label("Search").fill("no such thing")
        page.clock.run_for(200)
        expect(page.locator("#sources")).to_contain_text("No data source matches the filters")


def test_the_link_of_a_source_shows_its_details(browser: Browser, served: StatusSite) -> None:
    """The back button returns to the list; details that the user has closed stay closed."""
    with opened(browser, served) as page:
        page.get_by_role("link", name="1 index needs attention").click()
        expect(page).to_have_url(ending("/#indexes"))
        page.get_by_role("link", name="stale", exact=True).click()
        expect(page.locator("#sources li.source")).to_have_count(1)
        expect(page.get_by_role("heading", name="Identity")).to_be_visible()
        expect(page.locator("#sources")).to_be_in_viewport()
        page.locator("summary").click()
        with page.expect_response("**"):
            page.clock.run_for(16_000)
        expect(page.locator("details")).not_to_have_attribute("open", "")
        page.go_back()
        expect(page.locator("#sources li.source")).to_have_count(ON_PAGE)


def test_filters_work_without_javascript(browser: Browser, served: StatusSite) -> None:
    """The form and the links lead to the same lists."""
    with opened(browser, served, java_script_enabled=False) as page:
        expect(page.locator("#refreshing")).not_to_be_visible()
        page.get_by_label("Search").fill("never-synced")
        page.locator("select[name=state]").select_option("Warning")
        page.get_by_role("button", name="Apply").click()
        expect_names(page, ["never-synced"])
        expect(page.get_by_label("Search")).to_have_value("never-synced")
        page.locator("#all").click()
        expect(page.locator("#sources h3")).to_have_count(3)
        page.locator("#clear").click()
        expect(page).to_have_url(ending("/"))
        page.locator("#in-stale").click()
        expect(page.locator("#sources h3")).to_have_count(5)
        assert sorted(names(page)) == [
            "never-polled",
            "not-polled-since-firing",
            "restarted",
            "stale",
            "stale-and-failed",
        ]
        page.get_by_role("link", name="stale", exact=True).click()
        expect_names(page, ["stale"])
        expect(page.locator("details[open]")).to_have_count(1)


@pytest.mark.parametrize("java_script", [True, False])
def test_a_shared_cause_is_at_the_top_and_filters(browser: Browser, java_script: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    """111 of 2,500 data sources fail for one reason. Its link shows them, and further filters add up."""
    fine = ended_job("SUCCEEDED", HOUR, scanned=5)
    broken = structs.replace(ended_job("FAILED", HOUR), connector_error="SPE-5001")
    many = [make_snapshot(n, f"share-{n:04}", broken if n < 111 else fine) for n in range(MANY)]
    with (
        serve_status(StatusFixture.of(many)) as site,
        opened(browser, site, "/?q=share-2222", java_script_enabled=java_script) as page,
    ):
        cause = page.get_by_role("list", name="Shared causes")
        assert cause.inner_text().strip() == "111 data sources: SPE-5001, since 2026-09-21 13:13 UTC"
        cause.get_by_role("link").click()
        expect(page.locator("#count")).to_contain_text("111 of 2\u202f500 shown (SPE-5001)")
        expect(page.locator("#sources h3").first).to_have_text("share-0000")
        page.get_by_label("Search").fill("share-0042")
        if java_script:
            page.clock.run_for(200)
        else:
            page.get_by_role("button", name="Apply").click()
        expect(page.locator("#count")).to_contain_text("1 of 2\u202f500 shown (SPE-5001)")
        page.locator("#clear").click()
        expect(page.locator("#count")).to_be_empty()


def test_problems_and_search_results_of_all_pages_are_on_the_first(browser: Browser) -> None:
    """2,500 data sources are on 50 pages; problems come first, and a search covers all pages."""
    fine = ended_job("SUCCEEDED", HOUR, scanned=5)
    many = [make_snapshot(n, f"share-{n:04}", fine, schedule=DAILY) for n in range(MANY)]
    many[2345] = make_snapshot(2345, "share-2345", *(ended_job("FAILED", n * HOUR, n) for n in (1, 2, 3)))
    with serve_status(StatusFixture.of(many)) as site, opened(browser, site) as page:
        assert names(page)[:2] == ["share-2345", "share-0000"]
        assert len(names(page)) == 50
        expect(page.get_by_text("Page 1 of 50")).to_be_visible()
        page.get_by_role("link", name="Next").click()
        expect(page.get_by_text("Page 2 of 50")).to_be_visible()
        expect(page.locator("#sources h3").first).to_have_text("share-0049")
        page.get_by_label("Search").fill("share-2222")
        page.clock.run_for(200)
        expect(page.locator("#count")).to_contain_text("1 of 2\u202f500 shown")
        expect_names(page, ["share-2222"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast_in_light_and_dark(browser: Browser, served: StatusSite, scheme: str) -> None:
    """The page follows the colour scheme of the system, and every text has the contrast of WCAG level AA."""
    with opened(browser, served, f"/?data_source_id={HOSTILE_ID}", color_scheme=scheme) as page:
        grounds = [
            int(each) for each in re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
        ]
        assert all(each > 200 for each in grounds) if scheme == "light" else all(each < 60 for each in grounds)
        assert page.evaluate(CONTRAST) == []
        page.goto("/")
        assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [360, 768, 1024, 1440])
def test_nothing_is_wider_than_the_screen(browser: Browser, served: StatusSite, width: int) -> None:
    """This holds down to a small phone, with all details open, hostile texts and long ids."""
    with opened(browser, served, viewport={"width": width, "height": 740}) as page:
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        wide = (
            "all => all.filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll')).length"
        )
        assert page.locator("body *").evaluate_all(wide) == 0


def test_all_controls_work_with_the_keyboard(browser: Browser, served: StatusSite) -> None:
    """Each focused control has a visible outline and a name; the first one skips the others."""
    with opened(browser, served, "/?q=failed-once") as page:
        page.keyboard.press("Tab")
        focus = page.locator(":focus")
        expect(focus).to_have_text("Skip to the data sources")
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
        expect(page.get_by_role("heading", name="Last error")).to_have_count(0)
        expect(page.get_by_role("heading", name="Runs")).to_be_visible()


def test_landmarks_and_headings_have_names(browser: Browser, served: StatusSite) -> None:
    """A screen reader finds the search, the lists and the navigation by name; ids are unique."""
    with opened(browser, served) as page:
        for role, name in (("search", "Data sources"), ("navigation", "By state"), ("region", "Data sources")):
            expect(page.get_by_role(role, name=name, exact=True)).to_have_count(1)  # type: ignore[arg-type] # each is one
        expect(page.get_by_role("main")).to_have_count(1)
        expect(page.locator("h1")).to_have_count(1)
        assert page.locator("html").get_attribute("lang") == "en"
        ids = page.locator("[id]").evaluate_all("all => all.map(e => e.id)")
        assert len(ids) == len(set(ids))


def test_hostile_text_is_only_text(browser: Browser, served: StatusSite) -> None:
    """It is visible as text, and creates no elements."""
    with opened(browser, served, f"/?data_source_id={HOSTILE_ID}") as page:
        error = page.locator("pre.error:visible")
        assert "<script>document.title='pwned'</script>" in error.inner_text()
        assert "\u27e8U+202E\u27e9gnp.exe" in error.inner_text()
        expect(page.locator("main img, main script, main svg[onload]")).to_have_count(0)
        assert "pwned" not in page.title()


def test_a_problem_leads_to_its_runbook_and_back(browser: Browser, served: StatusSite) -> None:
    """It works without JavaScript. The runbook is readable on a phone and in dark colours."""
    options: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}
    with opened(browser, served, "/?q=failed-once", java_script_enabled=False, **options) as page:
        page.get_by_role("link", name="Runbook of QBusinessSyncFailed").click()
        headings = ["QBusinessSyncFailed", "Meaning", "Impact", "Diagnosis", "Mitigation"]
        expect(page.get_by_role("heading")).to_have_text(headings)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert page.evaluate(CONTRAST) == []
        page.get_by_role("link", name="connector codes").click()
        expect(page.get_by_role("heading", name="Connector codes")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.go_back()
        page.get_by_role("link", name="data_source_id=").click()
        expect_names(page, ["failed-once"])


@pytest.mark.parametrize("external_url", [None, "https://ops.example.com/tools/qb"])
def test_filters_and_links_work_under_a_prefix(browser: Browser, external_url: str | None) -> None:
    """An address without the last slash works too, and so do the search, its link to all, and the runbooks."""
    address = PublicAddress.of(external_url, "/tools/qb")
    with (
        serve_status(StatusFixture.of(example_sources()), address=address) as site,
        opened(browser, site, "/tools/qb?q=failed-once") as page,
    ):
        expect_names(page, ["failed-once"])
        page.get_by_label("Search").fill("failed-twice")
        page.clock.run_for(200)
        expect(page.locator("#count")).to_contain_text("1 of")
        expect(page).to_have_url(ending("/tools/qb/?q=failed-twice"))
        page.locator("#clear").click()
        expect(page.locator("#count")).to_be_empty()
        expect(page).to_have_url(ending("/tools/qb/"))
        page.get_by_role("link", name="Runbook of QBusinessSyncFailed").first.click()
        expect(page.locator("h1")).to_have_text("QBusinessSyncFailed")
        page.get_by_role("link", name="qbusiness-exporter").click()
        expect(page).to_have_url(ending("/tools/qb/"))


def test_the_policy_blocks_an_injected_script(browser: Browser, served: StatusSite) -> None:
    """Escaping is not the only protection."""
    page = browser.new_page(base_url="http://{}:{}".format(*served.address))
    page.goto("/")
    with page.expect_console_message() as message:
        page.evaluate("""() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'pwned'";
            document.body.append(script);
        }""")
    assert "pwned" not in page.title()
    assert "violates the following Content Security Policy" in message.value.text
    page.close()


def test_a_refresh_keeps_open_details_and_focus(browser: Browser) -> None:
    """New states appear by themselves, unless refresh is off; an error appears if the exporter does not respond."""
    before = make_snapshot(1, "hr", ended_job("SUCCEEDED", HOUR, scanned=5), schedule=DAILY)
    with serve_status(StatusFixture.of([before])) as site:
        context = browser.new_context(base_url="http://{}:{}".format(*site.address))
        page = context.new_page()
        page.clock.install(time=NOON)
        page.goto("/")
        page.locator("summary").press("Enter")
        site.fixture.publish(make_snapshot(1, "hr", ended_job("SUCCEEDED", HOUR, scanned=5), running_job(60)))
        page.clock.run_for(16_000)
        expect(page.locator("li.source")).to_contain_text("SYNCING")
        expect(page.locator("details")).to_have_attribute("open", "")
        assert page.locator("summary").evaluate("e => e === document.activeElement")
        site.fixture.publish(before)
        page.get_by_label("Refresh").uncheck()
        with page.expect_request("**") as requested:  # not by the timer
            page.clock.run_for(60_000)
            page.locator("#in-ok").click()
        assert requested.value.url.endswith("?state=ok")
        expect(page.locator("li.source")).not_to_contain_text("SYNCING")
        page.get_by_label("Refresh").check()
        context.set_offline(True)
        page.clock.run_for(16_000)
        expect(page.locator("#notice")).to_have_text(
            "The exporter does not respond. This page is as of 2026-09-21 14:13:20 UTC."
        )
        context.set_offline(False)
        page.clock.run_for(16_000)
        expect(page.locator("#notice")).to_be_hidden()
        context.close()


def test_a_refresh_with_a_later_time_shows_no_error(browser: Browser) -> None:
    """Each refresh changes the time in the headline. The new time appears, and the page reports no error."""
    fixture = StatusFixture.of([make_snapshot(1, "hr", ended_job("SUCCEEDED", HOUR, scanned=5))])
    with serve_status(fixture) as site, opened(browser, site) as page:
        for seconds in (15, 30):
            fixture.health = replace(HEALTH, now=NOON + seconds)
            page.clock.run_for(16_000)
            expect(page.locator(".headline time")).to_have_text(f"2026-09-21 14:13:{20 + seconds} UTC")
            expect(page.locator("#notice")).to_be_hidden()


@pytest.mark.trial
def test_refreshes_and_filters_of_a_running_program_show_no_notice(browser: Browser) -> None:
    """Each refresh shows a later time, even while the user types. The clocks of both programs run."""
    with Program(["demo"]) as program:
        program.until_ready()
        page = browser.new_page(base_url="http://{}:{}".format(*program.address))
        messages: list[str] = []
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.clock.install()  # the clock runs, and timers can be run early
        page.goto("/")
        as_of, search = page.locator(".headline time"), page.get_by_label("Search")
        for letter in "s3":
            before = as_of.inner_text()
            search.press_sequentially(letter)
            refresh_until(page, lambda before=before: as_of.inner_text() != before)  # type: ignore[misc]
            expect(page.locator("#notice")).to_be_hidden()
        expect(search).to_have_value("s3")
        expect(page).to_have_url(ending("/?q=s3"))
        eventually(lambda: all("s3" in name for name in names(page)))  # the address changes before the list
        assert messages == []
        page.close()


def refresh_until(page: Page, condition: Callable[[], bool]) -> None:
    """Run the refresh timer of the page until a condition holds."""

    def refreshed() -> bool:
        with page.expect_response("**"):
            page.clock.run_for(16_000)
        return condition()

    eventually(refreshed)


def test_an_error_of_the_script_is_not_an_outage(browser: Browser) -> None:
    """The console has the error, the page asks for a reload, and the next refresh that succeeds removes the notice."""
    fixture = StatusFixture.of([make_snapshot(1, "hr", ended_job("SUCCEEDED", HOUR, scanned=5))])
    with serve_status(fixture) as site:
        page = browser.new_page(base_url="http://{}:{}".format(*site.address))
        messages: list[str] = []
        page.on("console", lambda message: messages.append(message.text))
        page.clock.install(time=NOON)
        page.goto("/")
        page.evaluate("""() => {
            window.parse = DOMParser.prototype.parseFromString;
            DOMParser.prototype.parseFromString = () => { throw new Error("broken"); };
        }""")
        page.clock.run_for(16_000)
        notice = page.locator("#notice")
        expect(notice).to_have_text("This page could not be updated. Reload it to see the current data.")
        assert "Error: broken" in messages[0]
        page.evaluate("() => { DOMParser.prototype.parseFromString = window.parse; }")
        page.clock.run_for(16_000)
        expect(notice).to_be_hidden()
        page.close()


def test_the_demo_has_a_complete_page(browser: Browser) -> None:
    """The page of a running program has all sources, its links work, and it loads nothing from other hosts."""
    with Program(["demo"]) as program:
        program.until_ready()
        page = browser.new_page(base_url="http://{}:{}".format(*program.address))
        messages: list[str] = []
        page.on("console", lambda message: messages.append(message.text))
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto("/")
        expect(page.locator("h1")).to_contain_text("of 12 data sources need attention")
        expect(page.locator("li.source")).to_have_count(12)
        expect(page.get_by_text("CNF-5572 Authentication failed").first).to_be_visible()
        for name in ("Metrics", "JSON", "Healthy", "Ready"):
            link = page.get_by_role("link", name=name, exact=True).get_attribute("href") or ""
            assert program.get(link.removeprefix("."))[0] == 200
        own = "http://{}:{}/".format(*program.address)
        assert all(url.startswith((own, "data:")) for url in requests)
        assert messages == []
        page.close()


def test_a_stale_source_is_marked_in_words(browser: Browser) -> None:
    """Stale data does not look current."""
    old = replace(make_snapshot(1, "hr", ended_job("SUCCEEDED", HOUR, scanned=5), polled=60), poll_succeeded=False)
    with serve_status(StatusFixture.of([old])) as site, opened(browser, site) as page:
        assert page.locator(".fresh").inner_text().split() == ["Polled", "1", "min", "ago", "last", "poll", "failed"]
        expect(page.locator("h1")).to_have_text("No known problems")
        expect(page.get_by_text("1 stale", exact=True)).to_be_visible()
