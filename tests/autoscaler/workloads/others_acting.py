"""What users, Kubernetes' own controllers, the scheduler and the kubelet do beside a controller."""

from autoscaler.kube.resource import NODES, PODS, WORKLOADS
from autoscaler.workloads.cluster import KINDS, gpus_of
from tests.autoscaler.workloads.objects import HOSTNAME, TEAM, owned, worker

_MOST_PODS = 12


class Others:
    """All of them, in a world whose seed says who does what."""

    def __init__(self, world):
        self._world, self._random = world, world.random
        self._sequence = 0

    def act(self):
        """Let somebody else do something."""
        pods = self._world.api.all(PODS)
        workloads = self._world.api.all(WORKLOADS)
        what = self._random.random()
        if what < 0.35 and len(pods) < _MOST_PODS:
            self._create()
        elif what < 0.75 and pods:
            self._change(self._random.choice(pods))
        elif what < 0.9 and workloads:
            self._decide(self._random.choice(workloads))
        elif what < 0.95:
            is_cordoned = self._random.random() < 0.3
            name = self._random.choice(["n1", "n2"])
            self._world.api.edit(
                NODES, "", name, lambda o: o["spec"].update(unschedulable=is_cordoned)
            )
        else:
            self._world.controller.list_again(
                self._random.choice([each.resource for each in KINDS])
            )

    def _create(self):
        choice = self._random.choice
        owner = choice(self._world.owners)
        name = f"{owner['metadata']['name']}-{choice([0, 1, 2])}"
        if self._world.api.find(PODS, TEAM, name):
            return
        amounts = choice(
            [
                {
                    "tflops-request": choice(["10", "60", "95"]),
                    "vram-request": choice(["1Gi", "9Gi"]),
                },
                {"compute-percent-request": choice(["10", "50"]), "vram-request": "2Gi"},
            ]
        )
        enrolled = {
            "tensor-fusion.ai/auto-requests": "true",
            "tensor-fusion.ai/auto-limits": "true",
        }
        pod = worker(
            name,
            workload=owner["metadata"]["name"],
            count=choice([1, 1, 2]),
            amounts=amounts,
            requests={"cpu": choice(["100m", "1"])},
            qos=choice(["low", "high"]),
            annotations=enrolled,
        )
        self._world.add(PODS, owned(pod, owner) if self._random.random() < 0.8 else pod)

    def _change(self, pod):
        name, spec = pod["metadata"]["name"], pod["spec"]
        what = self._random.random()
        if what < 0.3:
            self._delete(pod)
        elif what < 0.6 and gpus_of(pod) and not spec.get("nodeName"):
            host = spec["nodeSelector"][HOSTNAME]
            self._edit(name, lambda o: o["spec"].update(nodeName=host))
            self._edit(name, lambda o: o.update(status={"phase": "Running"}))
        elif what < 0.75 and spec.get("nodeName"):
            phase = self._random.choice(["Succeeded", "Failed"])
            self._edit(name, lambda o: o.update(status={"phase": phase}))
        else:
            text = str(self._random.random())
            self._edit(name, lambda o: o["metadata"]["labels"].update(touched=text))

    def _edit(self, name, change):
        self._world.api.edit(PODS, TEAM, name, change)

    def _delete(self, pod):
        world = self._world
        world.is_troubled, before = False, world.is_troubled
        if pod["metadata"].get("deletionTimestamp"):
            self._world.api.remove(PODS, TEAM, pod["metadata"]["name"])
        else:
            self._world.api.delete(PODS, pod["metadata"]["name"], TEAM)
        world.is_troubled = before

    def _decide(self, workload):
        self._sequence += 1
        amounts = {
            "tflops": self._random.choice(["5", "20", "90"]),
            "vram": self._random.choice(["1Gi", "4Gi", "10Gi"]),
        }
        decided = {"epoch": 1, "sequence": self._sequence, "requests": amounts, "limits": {}}
        self._world.api.edit(
            WORKLOADS,
            TEAM,
            workload["metadata"]["name"],
            lambda o: o.setdefault("status", {}).update(desiredResources=decided),
        )
