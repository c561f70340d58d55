from autoscaler.kube.webhook_endpoints import ready_endpoints

HTTPS = {"name": "https", "port": 9443}


def piece(*endpoints, ports=(HTTPS,)):
    return {"ports": list(ports), "endpoints": list(endpoints)}


def at(*addresses, **conditions):
    return {"addresses": list(addresses), "conditions": conditions}


def test_ready_addresses_of_all_slices_are_listed_once_and_sorted():
    slices = [
        piece(at("10.0.0.3", ready=True), at("10.0.0.1", ready=True)),
        piece(at("10.0.0.1", ready=True), at("fd00::1", ready=True)),
    ]
    assert ready_endpoints(slices) == (("10.0.0.1", 9443), ("10.0.0.3", 9443), ("fd00::1", 9443))


def test_an_endpoint_that_is_not_ready_or_ends_is_left_out():
    assert ready_endpoints([piece(at("10.0.0.1", ready=False, serving=True))]) == ()


def test_an_endpoint_that_says_nothing_of_its_readiness_counts_as_ready():
    silent = {"addresses": ["10.0.0.1"]}
    unknown = {"addresses": ["10.0.0.2"], "conditions": {"ready": None}}
    assert ready_endpoints([piece(silent, unknown)]) == (("10.0.0.1", 9443), ("10.0.0.2", 9443))


def test_only_the_port_for_admission_is_taken():
    ports = ({"name": "http", "port": 8080}, {"name": "https", "port": 9444}, {"name": "https"})
    assert ready_endpoints([piece(at("10.0.0.1"), ports=ports)]) == (("10.0.0.1", 9444),)


def test_a_slice_without_ports_or_endpoints_has_none():
    assert ready_endpoints([{"ports": None, "endpoints": None}, {}]) == ()
