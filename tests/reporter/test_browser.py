"""The pages in a real headless Chromium: drawn, used by keys alone, and checked by axe where ASSAY_AXE names axe.min.js
of axe-core (`npm pack axe-core`). ASSAY_SCREENSHOTS names a folder for pictures."""

from __future__ import annotations

import base64
import os
import re
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from assay_reporter.compile import compile_report
from assay_reporter.render import render_email, render_html
from assay_schemas.canonical import sha256_hex
from assay_schemas.events import ExperimentAccepted, ExperimentRejected, JobProgressed, TrainingCompleted
from assay_schemas.images import image_key
from assay_schemas.jobs import Usage
from assay_schemas.problems import Problem

pytestmark = pytest.mark.real
AXE = os.environ.get("ASSAY_AXE", "")
needs_axe = pytest.mark.skipif(not AXE, reason="no ASSAY_AXE (axe-core's axe.min.js)")
ID = "00000000-0000-0000-0000-000000000000"
OTHER, LIVE, REFUSED = (f"{number:08d}{ID[8:]}" for number in (1, 2, 3))
EVIL = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
PAGES = {
    "experiments": ("/", "wrong-solutions"),
    "report": (f"/experiments/{ID}", "What was compared"),
    "live": (f"/experiments/{LIVE}", "step 3 of 10"),
    "refused": (f"/experiments/{REFUSED}", "training.algorithm"),
    "compare": (f"/compare?ids={ID}&ids={OTHER}", "What differs in their set-up"),
    "responses": (f"/experiments/{ID}/responses?benchmark=numeric", "losses come first"),
    "costs": ("/costs", "By experiment"),
    "nothing": ("/experiments/none", "was heard of"),
}


@pytest.fixture
def ground(evidence, with_images, png):
    """Evidence with models' text that would run if it could, and the images that were shown, by their keys."""
    images = {image_key(sha256_hex(data), "png"): data for data in (png("red"), png("lime"))}
    return with_images(evidence(response=EVIL), list(images)), images


@asynccontextmanager
async def filled(reporter, ground, store_evidence, renamed):
    """A reporter with two reports over items with images, one experiment that runs and one that was refused."""
    made, images = ground
    async with reporter() as running:
        for key, data in images.items():
            await running.app.store.put_bytes(key, data)
        await running.completed(made, store_evidence)
        await running.completed(renamed(made, 1, "second"), store_evidence)
        plan = await running.app.store.put_bytes("plan.json", made.plan.model_dump_json().encode())
        accepted = ExperimentAccepted(experiment_id=LIVE, name="live", owner="me", jobs=38, reused=0, plan=plan)
        await running.publish("experiment.accepted", accepted, LIVE)
        job, ended = [one for one in made.plan.jobs if one.kind == "training"][:2]
        used = TrainingCompleted(job_key=ended.key, attempt=1, outcome="cancelled", usage=Usage(cpu_s=3600),
                                 completed_at=running.app.clock.now())  # fmt: skip
        await running.publish("training.completed", used, ended.key)
        for step in (1, 2, 3):
            heard = JobProgressed(
                job_key=job.key, kind="training", attempt=1, sequence=step, phase="running", step=step, total=10,
                message=f"step {step} of 10", metrics={"loss": 1.0 / step}, at=made.result.completed_at,
            )  # fmt: skip
            await running.publish("job.progressed", heard, job.key)
        problem = Problem(field="training.algorithm", message="'SFTT' is not known.", mend="Use SFT.")
        refused = ExperimentRejected(experiment_id=REFUSED, name="bad", problems=[problem])
        await running.publish("experiment.rejected", refused, REFUSED)

        async def there() -> bool:
            texts = [(await running.client.get(path)).text for path, _ in PAGES.values()]
            return all(expected in text for text, (_, expected) in zip(texts, PAGES.values(), strict=True))

        await running.until(there)
        yield running


async def keep(browser, name: str) -> None:
    if folder := os.environ.get("ASSAY_SCREENSHOTS"):
        Path(folder, f"{name}.png").write_bytes(base64.b64decode(await browser.picture()))


async def test_every_page_is_drawn_without_a_complaint_and_runs_no_models_text(
    reporter, ground, store_evidence, renamed, browser
):
    async with filled(reporter, ground, store_evidence, renamed) as running:
        for name, (path, expected) in PAGES.items():
            for width, dark in ((390, False), (1200, True)):
                await browser.open(running.url + path, width, dark=dark)
                assert expected in await browser.value("document.body.innerText")
                assert "taken" not in await browser.value("document.title")
                wider = await browser.value("document.documentElement.scrollWidth - innerWidth")
                assert wider <= 0, f"{name} is {wider} pixels wider than {width}"
                assert [one for one in browser.complaints if "404" not in one] == []
                await keep(browser, f"{name}-{width}-{'dark' if dark else 'light'}")


async def test_tables_and_plots_are_read_on_a_phone_without_scrolling_sideways(
    reporter, ground, store_evidence, renamed, browser
):
    sideways = "[...document.querySelectorAll('.scroll')].map(one => one.scrollWidth - one.clientWidth)"
    async with filled(reporter, ground, store_evidence, renamed) as running:
        for name in ("report", "costs", "refused", "compare"):
            await browser.open(running.url + PAGES[name][0], 390)
            await browser.value("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            assert set(await browser.value(sideways)) == {0}, name
        assert "second" in await browser.value(
            "getComputedStyle(document.querySelectorAll('td[data-of]')[1], '::before').content"
        )


async def test_a_report_of_many_arms_is_short_on_a_phone_and_whole_where_there_is_room(eight_arms, tmp_path, browser):
    file, folds = tmp_path / "report.html", "[...document.querySelectorAll('details.tucked')]"
    file.write_text(render_html(compile_report(eight_arms, eight_arms.result.completed_at)), encoding="utf-8")
    seen = f"{folds}.filter(one => one.lastElementChild.checkVisibility()).length"
    await browser.open(file.as_uri(), 390)
    assert await browser.value(f"{folds}.length") > 10
    assert await browser.value(seen) == 0
    assert await browser.value("document.documentElement.scrollHeight") < 12_000
    assert "control" in await browser.value(f"{folds}.map(one => one.querySelector('summary').innerText).join()")
    await browser.value(f"{folds}[0].querySelector('summary').focus()")
    await browser.press(" ")
    await browser.until(f"{seen} === 1")
    await browser.call("Emulation.setEmulatedMedia", media="print")
    assert await browser.value(f"{seen} === {folds}.length")
    await browser.call("Emulation.setEmulatedMedia", media="")
    await browser.open(file.as_uri(), 1200)
    assert await browser.value(f"{seen} === {folds}.length")
    assert await browser.value(f"{folds}.every(one => one.querySelector('summary').offsetHeight === 0)")


async def test_on_a_phone_an_item_is_a_fold_with_its_scores_and_opens(
    reporter, ground, store_evidence, renamed, browser
):
    folds = "[...document.querySelectorAll('details.folds')]"
    async with filled(reporter, ground, store_evidence, renamed) as running:
        await browser.open(running.url + PAGES["responses"][0], 390)
        assert await browser.value(f"{folds}.length > 3 && {folds}.every(one => !one.open)")
        assert re.match(r"control 0 · clean 1 1 1|control 1 · clean ", await browser.value(f"{folds}[0].innerText"))
        assert await browser.value("document.documentElement.scrollHeight") < 20_000
        await browser.value(f"{folds}[0].querySelector('summary').click()")
        assert EVIL in await browser.value(f"{folds}[0].innerText")
        await browser.open(running.url + PAGES["responses"][0], 1200)
        assert await browser.value(f"{folds}.every(one => one.open)")


async def test_a_page_is_used_by_keys_alone(reporter, ground, store_evidence, renamed, browser):
    at, loaded = "document.activeElement", "document.readyState === 'complete'"
    async with filled(reporter, ground, store_evidence, renamed) as running:
        await browser.open(f"{running.url}/")
        await browser.press("Tab")
        assert await browser.value(f"{at}.textContent") == "Skip to the content"
        await browser.press("/")
        assert await browser.value(f"{at}.name") == "q"
        await browser.press("j")
        assert await browser.value(f"{at}.value") == "j"
        await browser.press("Escape")
        await browser.press("j")
        first = await browser.value(f"{at}.innerText")
        await browser.press("j")
        assert await browser.value(f"{at}.innerText") != first
        await browser.press("k")
        assert await browser.value(f"{at}.innerText") == first
        await browser.press("?")
        assert await browser.value("document.getElementById('keys').open")
        await browser.press("Escape")
        assert not await browser.value("document.getElementById('keys').open")
        await browser.open(f"{running.url}/experiments/{ID}/responses?benchmark=numeric&only=all")
        await browser.press("n")
        await browser.until(f"{loaded} && document.body.innerText.includes('Page 2 of')")
        await browser.press("p")
        await browser.until(f"{loaded} && document.body.innerText.includes('Page 1 of')")


async def test_the_images_of_an_item_are_seen_beside_its_responses(reporter, ground, store_evidence, renamed, browser):
    drawn = "[...document.querySelectorAll('.images img')].map(one => [one.naturalWidth, one.alt, one.src.slice(0, 5)])"
    async with filled(reporter, ground, store_evidence, renamed) as running:
        for path, source in ((PAGES["responses"][0], "http:"), (PAGES["report"][0], "data:")):
            await browser.open(running.url + path)
            await browser.until(f"{drawn}.slice(0, 2).every(([width]) => width === 160)")
            first, second, *_ = await browser.value(drawn)
            assert (first[1][:16], second[1][:16]) == ("Image 1 of 2 of ", "Image 2 of 2 of ")
            assert {first[2], second[2]} == {source}
            assert [one for one in browser.complaints if "404" not in one] == []


async def test_what_control_does_not_say_is_marked_unless_it_is_asked_otherwise(
    reporter, evidence, store_evidence, browser
):
    made = evidence(says=lambda arm, number, right: f"So <b>it</b> is #### {number + (1 if right else 3)}")
    answers = (
        "[...document.querySelectorAll('.answer')].map(one => [one.innerText, one.querySelector('mark')?.innerText])"
    )
    async with reporter() as running:
        await running.completed(made, store_evidence)
        path = f"/experiments/{ID}/responses?benchmark=numeric"

        async def there() -> bool:
            return "losses come first" in (await running.client.get(path)).text

        await running.until(there)
        await browser.open(running.url + path)
        await browser.until("!!document.querySelector('.answer mark')")
        for text, marked in await browser.value(answers):
            assert "So <b>it</b> is #### " in text
            assert marked is None or marked == text.split()[-1]
        await browser.open(f"{running.url}{path}&plain=true")
        assert not await browser.value("!!document.querySelector('script[src*=marks]')")
        assert browser.complaints == [one for one in browser.complaints if "404" in one]


@needs_axe
async def test_no_page_has_a_serious_finding(reporter, ground, store_evidence, renamed, browser):
    axe = Path(AXE).read_text(encoding="utf-8")
    async with filled(reporter, ground, store_evidence, renamed) as running:
        for name, (path, _) in PAGES.items():
            for width, dark in ((390, False), (1200, True)):
                await browser.open(running.url + path, width, dark=dark)
                assert await browser.serious(axe) == [], (name, width)


@needs_axe
@pytest.mark.parametrize("form", [render_html, render_email])
@pytest.mark.parametrize("many", [False, True])
async def test_a_report_as_a_file_has_no_serious_finding(evidence, eight_arms, tmp_path, browser, form, many):
    made = eight_arms if many else evidence(response=EVIL)
    file = tmp_path / "report.html"
    file.write_text(form(compile_report(made, made.result.completed_at)), encoding="utf-8")
    for width, dark in ((390, True), (1200, False)):
        await browser.open(file.as_uri(), width, dark=dark)
        assert await browser.serious(Path(AXE).read_text(encoding="utf-8")) == []


@needs_axe
async def test_a_page_with_a_fault_is_found_out(tmp_path, browser):
    file = tmp_path / "page.html"
    file.write_text("<html><head><title>x</title></head><body><main><h1>x</h1><img src='x.png'></main></body></html>")
    await browser.open(file.as_uri(), 390)
    found = await browser.serious(Path(AXE).read_text(encoding="utf-8"))
    assert {name for name, _ in found} >= {"image-alt"}
