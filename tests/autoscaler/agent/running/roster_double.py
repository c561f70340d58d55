"""Workers that a test states, with pages in folders of its own."""

from __future__ import annotations

from dataclasses import replace

from autoscaler.agent.mapping.pod_identity import PodIdentity
from autoscaler.agent.pages.abi import Use
from autoscaler.agent.pages.folders import folders_of_pod, make_folders
from autoscaler.agent.running.roster import Roster, Served
from tests.autoscaler.agent.pages.pages import ctl_of, use_page, write_use
from tests.autoscaler.agent.running.moments import worker

ONE_Q32 = 1 << 32
NS = 10**9


def uid_of(number):
    return f"00000000-0000-0000-0000-{number:012d}"


class Pods:
    """Pods below a kubelet's folder: their volumes, and the workers that they are."""

    def __init__(self, folder):
        self.folder = folder
        self.uses: dict[str, Use] = {}

    def served(self, number=0, *, seen_ns=0, has_volumes=True, **changes):
        """Return a worker; its volumes are there, unless they are to come later."""
        uid = uid_of(number)
        made = worker(**{"uid": uid, "name": f"chat-{number}", **changes})
        if has_volumes:
            make_folders(self.folders(uid))
        return Served(
            worker=made,
            folders=self.folders(uid),
            identity=PodIdentity(uid=uid, namespace=made.namespace, name=made.name),
            seen_ns=seen_ns,
        )

    def folders(self, uid):
        return folders_of_pod(uid, self.folder)

    def use(self, served, gpu=0, **changes):
        """Let the limiter of a worker write its page of use: counters of one GPU."""
        uid = served.worker.uid
        page = self.uses.setdefault(uid, use_page())
        for name, value in changes.items():
            setattr(page.gpu[gpu], name, value)
        self.write(served)

    def write(self, served):
        uid = served.worker.uid
        file = served.folders.use / "use"
        if not file.exists():
            write_use(served.folders.use, self.uses[uid])
            return
        with file.open("r+b") as opened:
            opened.write(bytes(self.uses[uid]))

    def ctl(self, served):
        return ctl_of(served.folders.control)

    def share(self, served, gpu=0):
        """Return the share that is in force for a worker."""
        return self.ctl(served).gpu[gpu].share_q32 / ONE_Q32


def changed(served, *, seen_ns, **changes):
    """Return a worker as it is after a change of what is in force."""
    return replace(served, worker=replace(served.worker, **changes), seen_ns=seen_ns)


class RosterDouble:
    """A source of workers that a test changes."""

    def __init__(self, *served):
        self.current = Roster(served=served)
        self.asked_with = None
        self.trouble = ()
        self._on_change = lambda: None

    def show(self, *served, **unserved):
        self.current = Roster(served=served, unserved=unserved)
        self._on_change()

    def start(self, on_change):
        self._on_change = on_change

    def stop(self):
        self._on_change = lambda: None

    def problems(self):
        return self.trouble

    def roster(self, cards):
        self.asked_with = dict(cards)
        return self.current
