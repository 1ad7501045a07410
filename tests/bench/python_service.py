"""What someone would write in Python instead: ListReleases by grpcio over sqlite3.

python python_service.py RAW.db     prints its address when it is ready
"""

import concurrent.futures
import sqlite3
import sys
import threading

import grpc
from detente.v1 import release_service_pb2

METHOD = "/detente.v1.ReleaseService/ListReleases"
PAGE = 50


class Service(grpc.GenericRpcHandler):
    """Knows one filter: `region_code = "…"`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method != METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._list,
            release_service_pb2.ListReleasesRequest.FromString,
            release_service_pb2.ListReleasesResponse.SerializeToString,
        )

    def _list(
        self, request: release_service_pb2.ListReleasesRequest, context: grpc.ServicerContext
    ) -> release_service_pb2.ListReleasesResponse:
        db = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = sqlite3.connect(self._path)
        region = request.filter.partition('"')[2].rstrip('"')
        rows = db.execute(
            "SELECT id, record FROM releases WHERE region = ? ORDER BY id LIMIT ?",
            (region, PAGE + 1),
        ).fetchall()
        response = release_service_pb2.ListReleasesResponse()
        for _, record in rows[:PAGE]:
            response.releases.add().MergeFromString(record)
        if len(rows) > PAGE:
            response.next_page_token = rows[PAGE - 1][0]
        return response


def main() -> None:
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=8))
    server.add_generic_rpc_handlers((Service(sys.argv[1]),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
