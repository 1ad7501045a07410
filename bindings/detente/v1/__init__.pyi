# Written by proto/generate_stubs.py; edit that.
# ruff: noqa
from types import ModuleType

from detente.v1.commit_pb2 import *
from detente.v1.commit_service_pb2 import *
from detente.v1.commitment_pb2 import *
from detente.v1.commitment_service_pb2 import *
from detente.v1.detention_pb2 import *
from detente.v1.detention_service_pb2 import *
from detente.v1.error_reason_pb2 import *
from detente.v1.event_pb2 import *
from detente.v1.event_service_pb2 import *
from detente.v1.evidence_pb2 import *
from detente.v1.exchange_pb2 import *
from detente.v1.exchange_service_pb2 import *
from detente.v1.finding_pb2 import *
from detente.v1.measure_pb2 import *
from detente.v1.measure_service_pb2 import *
from detente.v1.negotiation_pb2 import *
from detente.v1.negotiation_service_pb2 import *
from detente.v1.options_pb2 import *
from detente.v1.organization_pb2 import *
from detente.v1.organization_service_pb2 import *
from detente.v1.person_pb2 import *
from detente.v1.person_service_pb2 import *
from detente.v1.query_service_pb2 import *
from detente.v1.record_service_pb2 import *
from detente.v1.release_pb2 import *
from detente.v1.release_service_pb2 import *
from detente.v1.row_service_pb2 import *
from detente.v1.snapshot_pb2 import *
from detente.v1.snapshot_service_pb2 import *
from detente.v1.source_pb2 import *
from detente.v1.source_service_pb2 import *
from detente.v1.statement_pb2 import *
from detente.v1.statement_service_pb2 import *
from detente.v1.tally_pb2 import *
from detente.v1.tally_service_pb2 import *
from detente.v1.values_pb2 import *

def modules() -> list[ModuleType]: ...
