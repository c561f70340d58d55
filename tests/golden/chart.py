"""The chart's templates, made of the manifests of ``deploy/kustomize``: one source, two ways in.

A template is a manifest in which some places were exchanged for expressions.  A place that a
manifest no longer has is an error here, so that neither can change without the other.  What the
chart alone has is written by hand beside the generated files: checks, hooks, and what depends on
values as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autoscaler.api.crd import definition_yaml
from autoscaler.api.kinds import KINDS, CustomKind

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = DEPLOY / "kustomize"
CHART = DEPLOY / "helm" / "tensor-fusion-autoscaler"
FULL = 'eq .Values.profile "full"'
AGENT = f"and ({FULL}) .Values.agent.enabled"
_WITHOUT_POOL = f'and ({FULL}) .Values.defaultPool.enabled (not (include "tfa.pool.exists" .))'
"""A hook would delete a pool that is there, and make it anew."""
SERVICES = ("webhook", "controller", "autoscaler")
"""Components that are Deployments."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A place of a manifest, and what stands there in the template."""

    place: str
    """A regular expression that matches exactly once; lines begin with ``^``."""
    text: str


@dataclass(frozen=True, slots=True)
class Template:
    """A manifest below ``deploy/kustomize``, and how it becomes a template."""

    source: str
    condition: str = FULL
    """When its objects are part of a release; empty: always."""
    edits: tuple[Edit, ...] = ()

    def rendered(self) -> str:
        """Return the template.  Raises ``ValueError`` where an edit finds no place, or several."""
        text = (MANIFESTS / self.source).read_text(encoding="utf-8")
        for edit in self.edits:
            text, times = re.subn(
                edit.place, lambda _, edit=edit: edit.text, text, flags=re.MULTILINE
            )
            if times != 1:
                raise ValueError(f"{self.source}: {edit.place!r} is there {times} times, not once")
        head = f"{{{{- /* Made of deploy/kustomize/{self.source} by make golden. */ -}}}}\n"
        if not self.condition:
            return head + text
        return f"{head}{{{{- if {self.condition} }}}}\n{text}{{{{- end }}}}\n"


def chart_files() -> dict[Path, str]:
    """Return every template that is made, and its contents."""
    folder = CHART / "templates"
    made = {folder / template.source: template.rendered() for template in templates()}
    return made | {folder / "kinds" / f"{kind.plural}.yaml": _kind(kind) for kind in KINDS}


def _kind(kind: CustomKind) -> str:
    """Return the template of a definition, which survives an uninstall with what users wrote."""
    keep = "metadata:\n  annotations:\n    helm.sh/resource-policy: keep\n"
    text = definition_yaml(kind).replace("metadata:\n", keep, 1)
    head = "{{- /* Made of deploy/crds by make golden. */ -}}\n"
    return f"{head}{{{{- if {FULL} }}}}\n{text}{{{{- end }}}}\n"


def templates() -> Iterator[Template]:
    """Yield all templates that are made of manifests."""
    for name in ("forged-workers", "worker-changes", "bindings", "controller-changes"):
        yield Template(f"policies/{name}.yaml")
    for name in ("controller-evictions", "controller-pods", "autoscaler-writes", "agent-gpus"):
        yield Template(f"policies/{name}.yaml")
    yield Template("policies/tenant-roles.yaml")
    yield Template("priority-classes.yaml")
    yield Template("webhook-configurations.yaml")
    yield Template("control.yaml", 'ne .Values.profile "recommend-only"', (_MODE,))
    yield Template("default-pool.yaml", _WITHOUT_POOL, (_POOL,))
    for name in SERVICES:
        yield from _of_service(name)
    yield Template("webhook/rbac.yaml")
    yield Template("controller/rbac.yaml", FULL, _CERTIFICATE_RIGHTS)
    yield Template("autoscaler/rbac.yaml", "", _ACCOUNT_ALONE)
    yield Template("agent/namespace.yaml", AGENT)
    yield Template("agent/rbac.yaml", AGENT)
    yield Template("agent/daemonset.yaml", AGENT, _AGENT)
    yield Template("agent/network-policy.yaml", f"{AGENT} .Values.networkPolicy.enabled", (_FROM,))
    evicts = f'{AGENT} (eq .Values.agent.backstop "evict")'
    yield Template("components/agent-evicts/rbac.yaml", evicts)
    standalone = f"and ({FULL}) .Values.standaloneWorkers.enabled"
    yield Template("components/standalone-workers/rbac.yaml", standalone)


def _of_service(name: str) -> Iterator[Template]:
    is_autoscaler = name == "autoscaler"
    processes = f'gt (int (include "tfa.{name}.replicas" .)) 1'
    policy = ".Values.networkPolicy.enabled"
    yield Template(
        f"{name}/deployment.yaml", "" if is_autoscaler else FULL, (*_pod(name), *_OWN[name])
    )
    yield Template(f"{name}/service.yaml", "" if is_autoscaler else FULL)
    yield Template(
        f"{name}/disruption-budget.yaml",
        processes if is_autoscaler else f"and ({FULL}) ({processes})",
    )
    yield Template(
        f"{name}/network-policy.yaml",
        policy if is_autoscaler else f"and ({FULL}) {policy}",
        _REACH[name],
    )


def _container(name: str) -> tuple[Edit, ...]:
    """Return the edits that every process has."""
    return (
        Edit(
            r"^          image: tensor-fusion-autoscaler\n",
            '          image: {{ include "tfa.image" . | quote }}\n'
            "          {{- with .Values.image.pullPolicy }}\n"
            "          imagePullPolicy: {{ . }}\n"
            "          {{- end }}\n",
        ),
        Edit(
            r"^          resources:\n(?:            .*\n)+",
            "          resources:\n"
            f"            {{{{- toYaml .Values.{name}.resources | nindent 12 }}}}\n",
        ),
    )


def _pod(name: str) -> tuple[Edit, ...]:
    """Return the edits of a Deployment's pods."""
    return (
        *_container(name),
        Edit(r"^  replicas: 2\n", f'  replicas: {{{{ include "tfa.{name}.replicas" . }}}}\n'),
        Edit(
            r"^      containers:\n",
            f'      {{{{- with include "tfa.pod" (dict "of" .Values.{name} "image" .Values.image)'
            " }}\n      {{- . | trim | nindent 6 }}\n      {{- end }}\n      containers:\n",
        ),
    )


def _arguments(name: str, own: str = "") -> str:
    """Return the lines of a process's arguments; ``own`` are further ones."""
    return (
        f"          args:\n            - {name}\n            - --log-format=json\n{own}"
        f"            {{{{- range .Values.{name}.args }}}}\n            - {{{{ . | quote }}}}\n"
        "            {{- end }}\n"
    )


def _given(condition: str, *lines: str) -> str:
    """Return arguments that are there under a condition."""
    listed = "".join(f"            - {line}\n" for line in lines)
    return f"            {{{{- if {condition} }}}}\n{listed}            {{{{- end }}}}\n"


_STANDALONE = ".Values.standaloneWorkers.enabled"
_ENDPOINT = "http://tensor-fusion-controller.tensor-fusion-autoscaler.svc:8080"
_OWN = {
    "webhook": (
        Edit(
            r"^          args: \[webhook, --log-format=json\]\n",
            _arguments(
                "webhook",
                _given(_STANDALONE, "--standalone-workers", f"--connection-endpoint={_ENDPOINT}"),
            ),
        ),
        Edit(
            r"^          envFrom:\n(?:            .*\n)+",
            "          env:\n"
            "            - name: TFA_LIMITER_IMAGE\n"
            "              value: {{ .Values.limiterImage | quote }}\n",
        ),
    ),
    "controller": (
        Edit(
            r"^          args: \[controller, --log-format=json\]\n",
            _arguments(
                "controller",
                _given(_STANDALONE, "--standalone-workers")
                + _given("eq (int .Values.webhook.replicas) 1", "--webhook-replicas=1")
                + _given(
                    ".Values.webhook.openAfter",
                    "--webhook-open-after={{ .Values.webhook.openAfter }}",
                )
                + _given('include "tfa.certificate.external" .', "--external-certificate"),
            ),
        ),
    ),
    "autoscaler": (
        Edit(
            r"^            - --page-address=\$\(POD_IP\)\n",
            '            {{- include "tfa.autoscaler.args" . | trim | nindent 12 }}\n',
        ),
        Edit(
            r"^      automountServiceAccountToken: true\n",
            '      automountServiceAccountToken: {{ ne .Values.profile "recommend-only" }}\n',
        ),
        Edit(
            r"^    metadata:\n",
            "    metadata:\n"
            '      {{- with include "tfa.files" . }}\n'
            "      # New pods where a file changes, which is read at the start.\n"
            "      annotations:\n"
            "        checksum/files: {{ sha256sum . }}\n"
            "      {{- end }}\n",
        ),
        Edit(
            r"^              mountPath: /tmp\n",
            "              mountPath: /tmp\n"
            '            {{- with include "tfa.autoscaler.mounts" . }}\n'
            "            {{- . | trim | nindent 12 }}\n"
            "            {{- end }}\n",
        ),
        Edit(
            r"^            medium: Memory\n            sizeLimit: 1Mi\n",
            "            medium: Memory\n"
            "            sizeLimit: 1Mi\n"
            '        {{- with include "tfa.autoscaler.volumes" . }}\n'
            "        {{- . | trim | nindent 8 }}\n"
            "        {{- end }}\n",
        ),
    ),
}
_FROM = Edit(
    r"^        - namespaceSelector: \{\}\n",
    "        {{- toYaml .Values.networkPolicy.metricsFrom | nindent 8 }}\n",
)
_PAGE = Edit(
    r"^              app.kubernetes.io/component: autoscaler\n\Z",
    "              app.kubernetes.io/component: autoscaler\n"
    "        {{- with .Values.networkPolicy.pageFrom }}\n"
    "        {{- toYaml . | nindent 8 }}\n"
    "        {{- end }}\n",
)
_FROM_CLIENTS = Edit(
    _FROM.place,
    f"        {{{{- if {_STANDALONE} }}}}\n"
    "        # Clients of remote workers ask there where theirs are.\n"
    "        - namespaceSelector: {}\n"
    "        {{- else }}\n"
    f"{_FROM.text}"
    "        {{- end }}\n",
)
_REACH = {"webhook": (_FROM,), "controller": (_FROM_CLIENTS,), "autoscaler": (_FROM, _PAGE)}
"""Who may reach a service."""
_MODE = Edit(
    r"^  namespace: tensor-fusion-autoscaler\n",
    "  namespace: tensor-fusion-autoscaler\n"
    "{{- with .Values.mode }}\n"
    "data:\n"
    "  mode: {{ . }}\n"
    "{{- end }}\n",
)
_POOL = Edit(
    r"^  annotations:\n",
    '  annotations:\n    {{- include "tfa.pool.hook" . | nindent 4 }}\n',
)
_CERTIFICATE_RIGHTS = (
    Edit(
        r"^    verbs: \[get, update\]\n  # A create cannot be limited to a name.\n"
        r"  - apiGroups: \[\"\"\]\n    resources: \[secrets\]\n    verbs: \[create\]\n",
        '    {{- if include "tfa.certificate.external" . }}\n'
        "    verbs: [get]\n"
        "    {{- else }}\n"
        "    verbs: [get, update]\n"
        "  # A create cannot be limited to a name.\n"
        '  - apiGroups: [""]\n'
        "    resources: [secrets]\n"
        "    verbs: [create]\n"
        "    {{- end }}\n",
    ),
)
_ACCOUNT_ALONE = (
    Edit(
        r"^automountServiceAccountToken: false\n",
        f"automountServiceAccountToken: false\n{{{{- if {FULL} }}}}\n",
    ),
    Edit(
        r"^    resources: \[secrets\]\n    verbs: \[get\]\n\Z",
        "    resources: [secrets]\n    verbs: [get]\n{{- end }}\n",
    ),
)
_AGENT = (
    *_container("agent"),
    Edit(
        r"^          args: \[agent, --log-format=json\]\n",
        _arguments(
            "agent",
            _given('ne .Values.agent.backstop "log"', "--backstop={{ .Values.agent.backstop }}"),
        ),
    ),
    Edit(
        r"^      nodeSelector:\n        nvidia.com/gpu.present: \"true\"\n",
        '      {{- with include "tfa.pod" (dict "of" .Values.agent "image" .Values.image) }}\n'
        "      {{- . | trim | nindent 6 }}\n"
        "      {{- end }}\n",
    ),
    Edit(
        r"^                - DAC_READ_SEARCH\n",
        "                - DAC_READ_SEARCH\n"
        '                {{- if eq .Values.agent.backstop "kill" }}\n'
        "                - KILL\n"
        "                {{- end }}\n",
    ),
    *(
        Edit(
            rf"^            path: /var/lib/kubelet/{name}\n",
            f"            path: {{{{ .Values.agent.kubeletRoot }}}}/{name}\n",
        )
        for name in ("pods", "pod-resources", "device-plugins")
    ),
)
