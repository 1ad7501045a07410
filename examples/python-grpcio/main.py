"""Reads a Détente server in Python without its package: a release, a list, and an error."""

import sys

import grpc
from detente.v1 import release_service_pb2, release_service_pb2_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

with grpc.insecure_channel(sys.argv[1]) as channel:
    releases = release_service_pb2_grpc.ReleaseServiceStub(channel)

    get = release_service_pb2.GetReleaseRequest(name="releases/by-2025-12-13")
    release = releases.GetRelease(get, timeout=10)
    print(release.display_name, release.headcount.best)

    request = release_service_pb2.ListReleasesRequest(
        filter='possibly(effective_date, "2025-12")', page_size=2
    )
    while True:
        page = releases.ListReleases(request, timeout=10)
        for release in page.releases:
            print(release.name)
        request.page_token = page.next_page_token
        if not request.page_token:
            break

    try:
        releases.GetRelease(release_service_pb2.GetReleaseRequest(name="releases/none"), timeout=10)
    except grpc.RpcError as error:
        info = error_details_pb2.ErrorInfo()
        for detail in rpc_status.from_call(error).details:
            if detail.Unpack(info):
                print(error.code().name, info.reason, info.metadata["name"])
