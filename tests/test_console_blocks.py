"""Every command of a page is run by a test, or there is a reason why not.

``RUN_BY`` has the ``console`` blocks of the pages, in their order.  A file of ``tests`` runs the
block: it names page and head.  Anything else is a reason.
"""

import re
from collections.abc import Iterator

import pytest

from tests.pages import BEFORE_THE_FIRST_HEAD, BLOCK, DOCS, README, ROOT, blocks, sections

PROGRAMS = r"tfa|kubectl|helm|make|docker|python3?|pip|curl|jq|sed"
COMMAND = re.compile(rf"^(?:\$ )?(?:sudo )?(?:[\w./]*/)?(?:{PROGRAMS}) ", re.MULTILINE)
FIRST = BEFORE_THE_FIRST_HEAD

A_CARD = "needs an NVIDIA card"
A_SERVICE = "runs until it is ended; tests of the process start it with ports of their own"
BY_HAND = "hours of measuring by hand"
IMAGES = "builds images; tests/packages/test_images.py does the steps of the file"
LOGS = "logs of pods need a kubelet"
THE_TESTS = "runs the tests"

ALONE = "test_page_commands.py"
BACKUP = "cluster/test_backup.py"
FRESH = "cluster/test_installation.py"
FIRST_REPORT = "test_first_report.py"
INSTALLED = "cluster/test_page_commands.py"
LEAVING = "cluster/test_leaving.py"
PIPELINES = "test_pipelines.py"
RECOMMEND_ONLY = "prometheus/test_recommend_only.py"
RELEASE = "cluster/test_chart_release.py"

RUN_BY = {
    (README, "Two commands"): (f"{THE_TESTS}, and make demo runs in {FIRST_REPORT}",),
    (README, "Try it on your own usage"): (ALONE, ALONE),
    (README, "On a cluster"): ("install.md and page-and-api.md have it, and are run", INSTALLED),
    ("agent.md", "What it shows"): (A_CARD,),
    ("agent.md", "Without Kubernetes"): (A_CARD, A_CARD),
    ("apply.md", FIRST): (INSTALLED,),
    ("apply.md", "Rights"): (INSTALLED,),
    ("autoscaler.md", "Profiles"): (A_SERVICE,),
    ("autoscaler.md", "First steps"): (INSTALLED,),
    ("autoscaler.md", "Several instances"): (A_SERVICE,),
    ("benchmarks.md", "Quality on recorded traces"): (BY_HAND, BY_HAND),
    ("benchmarks.md", "Limiter"): (BY_HAND,),
    ("beside-upstream.md", FIRST): (A_SERVICE,),
    ("certificates.md", "What to look at"): (INSTALLED, INSTALLED),
    ("check.md", FIRST): (INSTALLED,),
    ("check.md", "Files"): (INSTALLED,),
    ("controller.md", "Decisions"): (INSTALLED,),
    ("controller.md", "How it runs"): (INSTALLED,),
    ("controller.md", "Conditions"): (INSTALLED,),
    ("custom-resources.md", "Install the definitions"): (INSTALLED,),
    ("custom-resources.md", "Give a workload a share of a GPU"): (INSTALLED,),
    ("custom-resources.md", "Limit a namespace"): (INSTALLED,),
    ("custom-resources.md", "See what is known of a workload"): (INSTALLED,),
    ("dashboards-and-alerts.md", "Who is scraped"): ("needs kinds of the Prometheus Operator",),
    ("dashboards-and-alerts.md", "Import the dashboards"): (INSTALLED,),
    ("dashboards-and-alerts.md", "Change a panel"): (THE_TESTS,),
    ("dashboards-and-alerts.md", "Alerts"): (ALONE,),
    ("decision-log.md", FIRST): (ALONE,),
    ("editor-and-ci.md", "In your editor"): (PIPELINES,),
    ("editor-and-ci.md", "What a step fails on"): (PIPELINES,),
    ("enable.md", "From recommendations to changes"): (INSTALLED,),
    ("external-scaler.md", "Having an endpoint asked"): (INSTALLED,),
    ("first-report.md", "Of a fleet in a box"): (FIRST_REPORT, FIRST_REPORT),
    ("first-report.md", "Of what your Prometheus measured"): (FIRST_REPORT,),
    ("first-report.md", "Of a file"): (FIRST_REPORT, FIRST_REPORT),
    ("forecasting.md", "Before you switch it on"): (ALONE,),
    ("gpu-experiments.md", "Run it"): (A_CARD,),
    ("gpu-facts.md", FIRST): (A_CARD,),
    ("install.md", "A first look: recommend-only"): (RELEASE,),
    ("install.md", "Everything: full"): (RELEASE,),
    ("install.md", "Beside an upstream operator"): (RELEASE,),
    ("install.md", "Upgrade and roll back"): (RELEASE,),
    ("install.md", "Uninstall"): (RELEASE, RELEASE),
    ("leaving.md", FIRST): (LEAVING,),
    ("operating.md", "Backup of state"): (BACKUP, BACKUP),
    ("packages.md", "Install"): ("tests/packages does it in empty environments",),
    ("packages.md", "Completion"): (ALONE,),
    ("packages.md", "Images"): (IMAGES,),
    ("page-and-api.md", FIRST): (RECOMMEND_ONLY,),
    ("page-and-api.md", "Who may read"): (A_SERVICE,),
    ("placement.md", "Which GPUs there are"): (INSTALLED,),
    ("placement.md", "When more important workers make others go"): (INSTALLED,),
    ("quotas.md", "How it is counted"): (INSTALLED,),
    ("reports.md", FIRST): (ALONE,),
    ("reports.md", "From Prometheus"): (ALONE,),
    ("reports.md", "In CI"): (ALONE,),
    ("runbooks.md", "Autoscaler"): (INSTALLED, INSTALLED, INSTALLED, LOGS, INSTALLED, INSTALLED),
    ("runbooks.md", "Webhook"): (INSTALLED, LOGS, INSTALLED),
    ("runbooks.md", "Controller"): (INSTALLED, INSTALLED, INSTALLED, LOGS),
    ("runbooks.md", "Agents"): (LOGS, LOGS),
    ("simulate-and-backtest.md", "A fleet in a box"): (ALONE,),
    ("simulate-and-backtest.md", "Back-test a policy"): (ALONE,),
    ("simulate-and-backtest.md", "Compare two policies"): (ALONE, ALONE),
    ("tenants.md", "What is denied"): ("shows a refusal; cluster/test_policies.py has each",),
    ("webhook.md", "Install"): (FRESH,),
    ("webhook.md", "Uninstall"): (LEAVING,),
}


def pages() -> list[str]:
    """Return the pages by their names below ``docs``, and the README."""
    return [README, *(str(path.relative_to(DOCS)) for path in sorted(DOCS.rglob("*.md")))]


def test_every_block_of_commands_is_run_or_says_why_not() -> None:
    found = {
        (page, head): len(blocks(page, head, "console"))
        for page in pages()
        for head in sections(page)
    }

    assert {key: count for key, count in found.items() if count} == {
        key: len(each) for key, each in RUN_BY.items()
    }


def run_by_tests() -> Iterator[tuple[str, str, str]]:
    """Return page, head and the file of tests that runs a block of it, once each."""
    for (page, head), entries in RUN_BY.items():
        for entry in dict.fromkeys(entries):
            if entry.endswith(".py") and " " not in entry:
                yield page, head, entry


@pytest.mark.parametrize(("page", "head", "file"), [*run_by_tests()])
def test_the_test_that_runs_a_block_names_it(page: str, head: str, file: str) -> None:
    text = (ROOT / "tests" / file).read_text(encoding="utf-8")

    assert ("README" if page == README else f'"{page}"') in text
    assert ("BEFORE_THE_FIRST_HEAD" if head == FIRST else f'"{head}"') in text


def test_commands_stand_in_console_blocks() -> None:
    hidden = [
        (page, text.splitlines()[0])
        for page in pages()
        for language, text in BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
        if language in {"bash", "sh", "shell"} or (language == "" and COMMAND.match(text))
    ]

    assert hidden == []
