import asyncio
import base64
import time

from autoscaler.api.names import CERTIFICATE_SECRET, NAMESPACE
from autoscaler.kube.certificates import new_authority_and_serving
from autoscaler.kube.resource import SECRETS
from autoscaler.webhook.certificate_sources import (
    certificate_of_files,
    certificate_of_secret,
    offer_secret,
    served_part,
)
from autoscaler.webhook.serving_certificate import ServingCertificate
from tests.autoscaler.webhook.listed_api import ListedApi
from tests.components.processes import until


def pair():
    issued = new_authority_and_serving(["localhost"], now_s=time.time(), lifetime_s=3600.0)
    return issued.serving.certificate.encode(), issued.serving.key.encode()


def secret(chain, key):
    return {
        "metadata": {
            "name": CERTIFICATE_SECRET,
            "namespace": NAMESPACE,
            "uid": "u",
            "resourceVersion": "1",
        },
        "data": {
            "ca.crt": base64.b64encode(b"bundle").decode(),
            "tls.crt": base64.b64encode(chain).decode(),
            "tls.key": base64.b64encode(key).decode(),
        },
    }


def test_the_certificate_of_the_secret_is_served_with():
    async def serve():
        certificate = ServingCertificate(time.time)
        api = ListedApi({SECRETS: [secret(*pair())]})
        async with certificate_of_secret(certificate, api, namespace=NAMESPACE):
            await asyncio.wait_for(certificate.arrived.wait(), 20.0)
        return api, certificate

    api, certificate = asyncio.run(serve())

    assert certificate.problems() == ()
    assert api.asked == [
        ("secrets", NAMESPACE, f"metadata.name={CERTIFICATE_SECRET}", False),
    ]


def test_of_the_secret_only_chain_and_key_are_kept():
    full = secret(b"chain", b"key")
    full["metadata"]["managedFields"] = [{}]

    kept = served_part(full)

    assert sorted(kept["data"]) == ["tls.crt", "tls.key"]
    assert "managedFields" not in kept["metadata"]


def test_a_secret_without_a_key_is_a_problem_that_names_it():
    certificate = ServingCertificate(time.time)
    partly = secret(*pair())
    partly["data"]["tls.key"] = ""

    offer_secret(certificate, partly)

    assert certificate.problems() == ("no certificate to serve with: the Secret lacks tls.key",)


def test_a_secret_that_holds_no_base64_is_a_problem():
    certificate = ServingCertificate(time.time)
    broken = secret(*pair())
    broken["data"]["tls.crt"] = "%"

    offer_secret(certificate, broken)

    [problem] = certificate.problems()
    assert problem.startswith("no certificate to serve with: the Secret holds no base64: ")


def test_a_deleted_secret_leaves_the_certificate_in_use():
    certificate = ServingCertificate(time.time)
    offer_secret(certificate, secret(*pair()))

    offer_secret(certificate, None)

    assert certificate.problems() == ()
    assert certificate.snapshot().problem == "the Secret was deleted"


def test_files_are_read_again_when_they_change(tmp_path):
    files = tmp_path / "tls.crt", tmp_path / "tls.key"

    async def until_read(certificate, *, loads=0, refusals=0):
        def is_read():
            counts = certificate.snapshot()
            return counts.loads >= loads and counts.refusals >= refusals

        await asyncio.to_thread(until, is_read, what="the files are read", deadline_s=20.0)

    async def serve():
        certificate = ServingCertificate(time.time)
        async with certificate_of_files(certificate, *files, every_s=0.01):
            await until_read(certificate, refusals=1)
            missing = certificate.problems()
            for number in (1, 2):
                for path, content in zip(files, pair(), strict=True):
                    path.write_bytes(content)
                await until_read(certificate, loads=number)
        return missing, certificate

    missing, certificate = asyncio.run(serve())

    assert missing == (f"no certificate to serve with: {files[0]}: No such file or directory",)
    assert certificate.problems() == ()
