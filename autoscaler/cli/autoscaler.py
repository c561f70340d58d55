"""``tfa autoscaler``: the process that measures, decides and states what is to be in force."""

from __future__ import annotations

from autoscaler.api.names import NAMESPACE
from autoscaler.cli.autoscaler_options import (
    CheckpointEveryOption,
    DecisionLogOption,
    HealthPortOption,
    InstanceOption,
    NamespaceSelectorOption,
    NoWorkloadMetricsOption,
    PageAddressOption,
    PageEveryOption,
    PagePortOption,
    PageTokenFileOption,
    ProfileOption,
    RawStepOption,
    RequestsEveryOption,
    ScalableOption,
    ScalerAllowOption,
    ScalerCaFileOption,
    ScalerTokenFileOption,
    StateFileOption,
    TickOption,
    TrainEveryOption,
    WebhookUrlOption,
    WritersOption,
)
from autoscaler.cli.options import (
    ConfigOption,
    GpuModelOption,
    ProfilesOption,
    SinceOption,
    WorkloadsOption,
)
from autoscaler.cli.prometheus_options import (
    CaFileOption,
    PrometheusHeaderFileOption,
    PrometheusHeaderOption,
    PrometheusMappingOption,
    PrometheusTokenFileOption,
    PrometheusUrlOption,
    SelectorOption,
    TimeoutOption,
)
from autoscaler.cli.service_options import (
    BindAddressOption,
    KubeconfigOption,
    LogFormatOption,
    NamespaceOption,
    WriteRateOption,
)
from autoscaler.logs import LogFormat
from autoscaler.scaling.running.profile import Profile


def command(
    profile: ProfileOption = Profile.FULL,
    namespace: NamespaceOption = NAMESPACE,
    namespace_selector: NamespaceSelectorOption = "",
    instance: InstanceOption = "",
    scalable: ScalableOption = None,
    webhook_url: WebhookUrlOption = None,
    prometheus_url: PrometheusUrlOption = None,
    prometheus_mapping: PrometheusMappingOption = None,
    prometheus_header: PrometheusHeaderOption = None,
    prometheus_header_file: PrometheusHeaderFileOption = None,
    prometheus_token_file: PrometheusTokenFileOption = None,
    ca_file: CaFileOption = None,
    timeout: TimeoutOption = None,
    selector: SelectorOption = None,
    workloads: WorkloadsOption = None,
    profiles: ProfilesOption = None,
    gpu_model: GpuModelOption = None,
    since: SinceOption = None,
    decision_log: DecisionLogOption = None,
    tick: TickOption = "15s",
    requests_every: RequestsEveryOption = "1m",
    step: RawStepOption = "15s",
    state_file: StateFileOption = None,
    checkpoint_every: CheckpointEveryOption = "5m",
    train_every: TrainEveryOption = "24h",
    write_rate: WriteRateOption = 200.0,
    workers: WritersOption = 8,
    external_scaler_allow: ScalerAllowOption = None,
    external_scaler_ca_file: ScalerCaFileOption = None,
    external_scaler_token_file: ScalerTokenFileOption = None,
    bind_address: BindAddressOption = None,
    health_port: HealthPortOption = 8080,
    page_port: PagePortOption = 8090,
    page_address: PageAddressOption = "",
    page_token_file: PageTokenFileOption = None,
    page_every: PageEveryOption = "5m",
    no_workload_metrics: NoWorkloadMetricsOption = False,
    config: ConfigOption = None,
    kubeconfig: KubeconfigOption = None,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Measure use, forecast it, decide requests, limits and replicas, and state them.

    Runs until SIGTERM. Of several processes one works; each is ready once its caches are filled.
    Nothing is changed until the mode of the installation is apply.
    """
    from autoscaler.cli.autoscaler_flags import AutoscalerFlags
    from autoscaler.cli.autoscaler_run import run_autoscaler
    from autoscaler.cli.prometheus_flags import PrometheusFlags
    from autoscaler.cli.stated_input import StatedOptions

    run_autoscaler(
        AutoscalerFlags(
            profile=profile,
            namespace=namespace,
            namespace_selector=namespace_selector,
            instance=instance,
            scalable=tuple(scalable or ()),
            webhook_url=webhook_url,
            server=PrometheusFlags(
                url=prometheus_url,
                mapping=prometheus_mapping,
                headers=tuple(prometheus_header or ()),
                header_files=tuple(prometheus_header_file or ()),
                token_file=prometheus_token_file,
                ca_file=ca_file,
                timeout=timeout,
                selectors=tuple(selector or ()),
            ),
            stated=StatedOptions(
                workloads=workloads,
                profiles=profiles,
                gpu_model=gpu_model,
                since=since,
                config=config,
            ),
            decision_log=decision_log,
            tick=tick,
            requests_every=requests_every,
            step=step,
            state_file=state_file,
            checkpoint_every=checkpoint_every,
            train_every=train_every,
            write_rate_per_s=write_rate,
            writers=workers,
            scaler_allow=tuple(external_scaler_allow or ()),
            scaler_ca_file=external_scaler_ca_file,
            scaler_token_file=external_scaler_token_file,
            address=bind_address,
            health_port=health_port,
            page_port=page_port,
            page_address=page_address,
            page_token_file=page_token_file,
            page_every=page_every,
            has_workload_metrics=not no_workload_metrics,
            kubeconfig=kubeconfig,
            log_format=log_format,
        )
    )
