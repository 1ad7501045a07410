"""The same rows as others would serve them: a table in memory by Arrow Flight, and records as
protobuf messages by grpcio.

python rows_service.py TABLE.arrow     prints both addresses when it is ready
"""

import concurrent.futures
import sys
from collections.abc import Iterator

import grpc
import pyarrow as pa
import pyarrow.flight
from detente.v1 import release_service_pb2

METHOD = "/test.Rows/Read"
PAGE = 1_000


class Flight(pa.flight.FlightServerBase):
    def __init__(self, table: pa.Table) -> None:
        super().__init__("grpc://127.0.0.1:0")
        self._table = table

    def do_get(self, context: object, ticket: object) -> pa.flight.FlightDataStream:
        return pa.flight.RecordBatchStream(self._table)


class Messages(grpc.GenericRpcHandler):
    """Pages of releases, serialized beforehand."""

    def __init__(self, table: pa.Table) -> None:
        self._pages = [page(table.slice(start, PAGE)) for start in range(0, table.num_rows, PAGE)]

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method != METHOD:
            return None
        return grpc.unary_stream_rpc_method_handler(self._read)

    def _read(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield from self._pages


def page(rows: pa.Table) -> bytes:
    response = release_service_pb2.ListReleasesResponse()
    for row in rows.to_pylist():
        release = response.releases.add(
            name=row["name"],
            revision=row["revision"],
            display_name=row["display_name"],
            region_code=row["region_code"],
            mechanism=row["mechanism"],
            note=row["note"],
        )
        release.update_time.FromDatetime(row["update_time"])
        for bound in ("earliest", "latest"):
            day = row[f"effective_date.{bound}"]
            date = getattr(release.effective_date, bound)
            date.year, date.month, date.day = day.year, day.month, day.day
        release.headcount.best = row["headcount.best"]
    return response.SerializeToString()


def main() -> None:
    with pa.memory_map(sys.argv[1]) as file:
        table = pa.ipc.open_file(file).read_all()
    flight = Flight(table)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers((Messages(table),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{flight.port} 127.0.0.1:{port}", flush=True)
    flight.serve()


if __name__ == "__main__":
    main()
